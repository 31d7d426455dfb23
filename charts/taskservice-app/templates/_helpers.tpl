{{- define "app.labels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/component: {{ .name }}
app.kubernetes.io/part-of: taskservice
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "app.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "app.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "app.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "app.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* The pods' identity where Vault asks for one. They need no token themselves: the operator reads for them. */ -}}
{{- define "app.account" -}}
{{- if .root.Values.vault.enabled }}
serviceAccountName: {{ .name }}
podTemplate:
  spec: {automountServiceAccountToken: false}
{{- end }}
{{- end }}

{{- /* Everything that a service keeps secret, in one secret of Vault whose keys are the variables' names. */ -}}
{{- define "app.vaultSecrets" -}}
- name: vault
  vault:
    mount: {{ .root.Values.vault.mount }}
    path: {{ printf "%s/%s/%s" .root.Values.vault.path .root.Release.Namespace .name }}
{{- end }}

{{- /* host:port of the three members, comma-separated, as the replica set itself names them. */ -}}
{{- define "app.mongoMembers" -}}
{{- $domain := printf "mongo.%s.svc.%s:27017" .Release.Namespace .Values.clusterDomain -}}
mongo-0.{{ $domain }},mongo-1.{{ $domain }},mongo-2.{{ $domain }}
{{- end }}

{{- define "app.mongoUrlSecret" -}}
{{- if .Values.mongo.enabled }}taskservice-mongo{{ else }}{{ required "mongo.externalUrlSecret: name the Secret that holds TASKSERVICE_MONGO_URL, or set mongo.enabled=true" .Values.mongo.externalUrlSecret }}{{ end }}
{{- end }}

{{- define "app.redisUrlSecret" -}}
{{- if .Values.redis.enabled }}taskservice-redis{{ else }}{{ .Values.redis.externalUrlSecret }}{{ end }}
{{- end }}

{{- /* Whether the chart brings the broker: only the worker needs one. */ -}}
{{- define "app.ownBroker" -}}
{{ and .Values.worker.enabled .Values.rabbitmq.enabled }}
{{- end }}

{{- define "app.busUrlSecret" -}}
{{- if .Values.rabbitmq.enabled }}taskservice-rabbitmq{{ else }}{{ required "rabbitmq.externalUrlSecret: name the Secret that holds TASKSERVICE_BUS_URL, or set rabbitmq.enabled=true or worker.enabled=false" .Values.rabbitmq.externalUrlSecret }}{{ end }}
{{- end }}

{{- /* Bounds that fit the container's: the broker knows the node's memory and disk only. */ -}}
{{- define "app.brokerSettings" -}}
listeners.tcp.default = 5672
vm_memory_high_watermark.absolute = {{ .Values.rabbitmq.maxMemory }}
disk_free_limit.absolute = 100MB
raft.wal_max_size_bytes = 33554432
{{- end }}

{{- define "app.rollout" -}}
strategy: BlueGreen
progressDeadlineSeconds: {{ .progressDeadlineSeconds }}
blueGreen:
  autoPromotion: {{ .autoPromotion }}
  autoPromotionSeconds: {{ .autoPromotionSeconds }}
  scaleDownDelaySeconds: {{ .scaleDownDelaySeconds }}
{{- end }}

{{- /* Settings of all services; what a service sets itself comes before these. */ -}}
{{- define "app.config" -}}
{{- $version := ternary (dict "TASKSERVICE_VERSION" .Values.version) (dict) (ne .Values.version "") -}}
{{- merge (dict) .Values.config $version | toYaml -}}
{{- end }}
