module example.com/shop

go 1.22

require (
	github.com/google/uuid v1.6.0
	rsc.io/quote v1.5.2
)

require (
	golang.org/x/text v0.0.0-20170915032832-14c0d48ead0c // indirect
	rsc.io/sampler v1.3.0 // indirect
)

replace rsc.io/quote => rsc.io/quote v1.5.1

exclude golang.org/x/text v0.3.0
