// generate MODULE VERSION writes into the working folder what the provider embeds: the schema of MODULE (the folder of
// the provider's module) with the release's version in it, and the mapping from Terraform, both without white space.
package main

import (
	"bytes"
	"encoding/json"
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: generate MODULE VERSION")
	}
	sources := filepath.Join(os.Args[1], "cmd", "pulumi-resource-kubernetes")

	var schema map[string]json.RawMessage
	if err := json.Unmarshal(read(sources, "schema.json"), &schema); err != nil {
		log.Fatalf("schema.json: %v", err)
	}
	version, err := json.Marshal(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	schema["version"] = version
	versioned, err := json.Marshal(schema)
	if err != nil {
		log.Fatal(err)
	}
	write("schema-embed.json", versioned)

	var mapping bytes.Buffer
	if err := json.Compact(&mapping, read(sources, "terraform-mapping.json")); err != nil {
		log.Fatalf("terraform-mapping.json: %v", err)
	}
	write("terraform-mapping-embed.json", mapping.Bytes())
}

func read(folder, name string) []byte {
	content, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		log.Fatal(err)
	}
	return content
}

func write(name string, content []byte) {
	if err := os.WriteFile(name, content, 0o644); err != nil {
		log.Fatal(err)
	}
}
