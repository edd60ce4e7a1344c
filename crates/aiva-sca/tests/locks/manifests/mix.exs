defmodule Shop.MixProject do
  use Mix.Project

  def project do
    [
      app: :shop,
      version: "0.1.0",
      deps: deps()
    ]
  end

  # What it needs.
  defp deps do
    [
      {:phoenix, "~> 1.6.0"},
      {:plug, "1.13.6"},
      {:ecto, ">= 3.0.0 and < 4.0.0"}, # two bounds
      {:credo, "~> 1.6", only: [:dev, :test], runtime: false},
      {:ex_doc, "~> 0.29", only: ~w(dev)a},
      {:any_one, ">= 0.0.0", hex: :other},
      {:tool, github: "acme/tool", tag: "v1"},
      {:near, path: "../near"},
      {:ours, "~> 1.0", organization: "acme"}
    ]
  end
end
