// The program that holds a pod's namespaces open.
module taskservice.dev/local/parts/pause

go 1.25.0
