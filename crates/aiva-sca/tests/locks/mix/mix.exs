defmodule Shop.MixProject do
  use Mix.Project
  def project, do: [app: :shop, version: "0.1.0", deps: deps()]
  defp deps, do: [{:dep_a, git: "https://git.example.com/dep_a.git"}, {:own, path: "own"}]
end
