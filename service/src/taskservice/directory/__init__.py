"""Who is who, between services: auth answers, others ask; both ends of the one contract live here.

The contract is `service/proto/taskservice/directory/v1`, and `v1` is what protoc makes of it. The same question can be
put over HTTP on the management port, for when gRPC does not get through. Both need the directory token.
"""
