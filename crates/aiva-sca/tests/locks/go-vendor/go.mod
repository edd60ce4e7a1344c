module example.com/a

go 1.21

require (
	github.com/gorilla/mux v1.7.4
	gopkg.in/yaml.v2 v2.2.2
)
