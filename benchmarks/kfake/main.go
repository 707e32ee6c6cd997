// One kfake broker for `python -m benchmarks`: prints its address and serves until SIGTERM.
//
// Records are kept in memory, as kfake does without a data directory. Usage: kfake PORT (0 takes a free one).
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	if len(os.Args) != 2 {
		fail("usage: kfake PORT")
	}
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fail(err)
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.Ports(port), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1),
	)
	if err != nil {
		fail(err)
	}
	fmt.Println("KFAKE", cluster.ListenAddrs()[0])
	<-stop
	cluster.Close()
}

func fail(reason any) {
	fmt.Fprintln(os.Stderr, reason)
	os.Exit(1)
}
