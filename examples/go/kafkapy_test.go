package shop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"testing"
)

// Kafkapy is a broker beside the tests, which ends with them.
type Kafkapy struct {
	BootstrapServers string `json:"bootstrap_servers"`
	ControlURL       string `json:"control_url"`
}

// startKafkapy needs the command kafkapy, or its path in KAFKAPY.
func startKafkapy(t *testing.T) *Kafkapy {
	t.Helper()
	program := os.Getenv("KAFKAPY")
	if program == "" {
		program = "kafkapy"
	}
	command := exec.Command(program, "--ephemeral", "--port", "0", "--control", "0", "--json", "--exit-with-parent")
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatalf("%v: run pip install './kafkapy[control]', where ./kafkapy is a checkout of kafkapy", err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		_ = command.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatalf("kafkapy has ended: %v", err)
	}
	kafkapy := &Kafkapy{}
	if err := json.Unmarshal(line, kafkapy); err != nil {
		t.Fatal(err)
	}
	return kafkapy
}

// Call is an operation of the control API: kafkapy.Call(t, "records", map[string]any{"topic": "orders"}, &records).
func (kafkapy *Kafkapy) Call(t *testing.T, operation string, arguments map[string]any, result any) {
	t.Helper()
	body, err := json.Marshal(arguments)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(kafkapy.ControlURL+"/v1/"+operation, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", operation, text, err)
	}
	if result != nil {
		if err := json.Unmarshal(text, result); err != nil {
			t.Fatal(err)
		}
	}
}
