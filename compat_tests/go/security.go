package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// security is the TLS of all connections: with the authority and the client of the directory that
// COMPAT_CERTIFICATES names. Nil: there is none, and no TLS.
func security() *tls.Config {
	directory := os.Getenv("COMPAT_CERTIFICATES")
	if directory == "" {
		return nil
	}
	authority, err := os.ReadFile(filepath.Join(directory, "ca.crt"))
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		panic("ca.crt has no certificate")
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(directory, "alice.crt"), filepath.Join(directory, "alice.key"))
	if err != nil {
		panic(err)
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}
}

// franzLogin is how franz-go logs in: by SCRAM-SHA-256, as the user that COMPAT_USER names. Nothing: without SASL.
func franzLogin() []sasl.Mechanism {
	user := os.Getenv("COMPAT_USER")
	if user == "" {
		return nil
	}
	return []sasl.Mechanism{scram.Auth{User: user, Pass: os.Getenv("COMPAT_PASSWORD")}.AsSha256Mechanism()}
}
