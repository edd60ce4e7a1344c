module larkspur.example/catalog

go 1.21

require (
	github.com/golang-jwt/jwt/v5 v5.2.1
	github.com/google/uuid v1.6.0
	golang.org/x/crypto v0.14.0
	golang.org/x/net v0.15.0
	google.golang.org/protobuf v1.31.0
)

require (
	golang.org/x/sys v0.13.0 // indirect
	golang.org/x/text v0.13.0 // indirect
)
