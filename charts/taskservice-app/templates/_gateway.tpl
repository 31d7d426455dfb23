{{- /* Where a route is attached, and under which names it is served. */ -}}
{{- define "app.gatewayRoute" -}}
parentRefs: [{name: taskservice, sectionName: https}]
{{- with .Values.gateway.hostnames }}
hostnames:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* (list status code title) → a problem document as the services write them. */ -}}
{{- define "app.problem" -}}
{{- dict "type" (printf "urn:taskservice:problem:%s" (index . 1)) "title" (index . 2) "status" (index . 0) | toJson -}}
{{- end }}

{{- /* What holds for clients of both listeners. */ -}}
{{- define "app.gatewayClients" -}}
{{- with .Values.gateway.trustedHops }}
clientIPDetection: {xForwardedFor: {numTrustedHops: {{ . }}}}
{{- end }}
path: {escapedSlashesAction: RejectRequest}
timeout:
  tcp: {tlsHandshakeTimeout: 10s}
  http:
    # Whoever sends a byte a second gives a connection up, not we a worker.
    requestHeadersReceivedTimeout: 10s
    requestReceivedTimeout: 20s
    idleTimeout: 120s
    streamIdleTimeout: 60s
connection:
  connectionLimit: {value: 20000}
{{- end }}

{{- /* What clients may not say: who they are, and, unless somebody of ours adds to it, where they come from. */ -}}
{{- define "app.gatewayHeaders" -}}
withUnderscoresAction: RejectRequest
requestID: Generate
earlyRequestHeaders:
  remove:
    - x-taskservice-user
    {{- if not .Values.gateway.trustedHops }}
    - x-forwarded-for
    - forwarded
    - x-real-ip
    {{- end }}
{{- end }}

{{- /* On every answer. The last two matter if somebody opens one in a browser. */ -}}
{{- define "app.gatewayAnswerHeaders" -}}
- {name: Strict-Transport-Security, value: max-age=31536000}
- {name: X-Content-Type-Options, value: nosniff}
- {name: Referrer-Policy, value: no-referrer}
- {name: Content-Security-Policy, value: "default-src 'none'; frame-ancestors 'none'"}
- {name: X-Frame-Options, value: DENY}
{{- end }}

{{- /* For requests that change nothing: once more, elsewhere, after a broken connection or a refusal. */ -}}
{{- define "app.gatewayRetries" -}}
retry:
  numRetries: 2
  retryOn:
    triggers: [connect-failure, refused-stream, reset, retriable-status-codes]
    httpStatusCodes: [503]
  perRetry:
    backOff: {baseInterval: 25ms, maxInterval: 250ms}
{{- end }}

{{- /* For all others: only where the request cannot have reached the service. */ -}}
{{- define "app.gatewayReconnects" -}}
retry:
  numRetries: 2
  retryOn:
    triggers: [connect-failure, refused-stream, reset-before-request]
  perRetry:
    backOff: {baseInterval: 25ms, maxInterval: 250ms}
{{- end }}

{{- /* One budget for each client address or user, over all paths of the policy's routes and over all proxies. */ -}}
{{- define "app.gatewayLimit" -}}
rateLimit:
  global:
    rules:
      {{- $anybody := list (dict "sourceCIDR" (dict "type" "Distinct" "value" "0.0.0.0/0")) (dict "sourceCIDR" (dict "type" "Distinct" "value" "::/0")) }}
      {{- range ternary $anybody (list (dict "headers" (list (dict "type" "Distinct" "name" "x-taskservice-user")))) (eq .by "address") }}
      - clientSelectors: [{{ toJson . }}]
        limit: {{ toJson $.limit }}
        shared: true
      {{- end }}
{{- end }}
