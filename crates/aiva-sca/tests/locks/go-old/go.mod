module example.com/old

go 1.15

require (
	github.com/gorilla/handlers v1.5.1
	github.com/sirupsen/logrus v1.8.1
	rsc.io/quote v1.5.2
)
