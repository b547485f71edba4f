{{/*
Every template here takes a scope, never the root: another chart that includes them has other .Values.
  in this chart:    dict "release" .Release "values" .Values
  in a parent:      dict "release" .Release "values" .Values.costspan
*/}}

{{- define "costspan.fullname" -}}
{{- $base := .values.nameOverride | default "costspan" -}}
{{- $name := ternary .release.Name (printf "%s-%s" .release.Name $base) (contains $base .release.Name) -}}
{{- .values.fullnameOverride | default $name | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "costspan.selectorLabels" -}}
app.kubernetes.io/name: {{ .values.nameOverride | default "costspan" }}
app.kubernetes.io/instance: {{ .release.Name }}
{{- end }}

{{- define "costspan.labels" -}}
{{ include "costspan.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .release.Service }}
{{- end }}

{{- define "costspan.serviceAccountName" -}}
{{- if .values.serviceAccount.create -}}
{{- .values.serviceAccount.name | default (include "costspan.fullname" .) -}}
{{- else -}}
{{- .values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}

{{/* The default tag is written out: in a parent chart .Chart is the parent's. A test holds it to appVersion. */}}
{{- define "costspan.image" -}}
{{- $image := .values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default "0.1.0") -}}
{{- end -}}
{{- end }}

{{/*
The whole gateway.yaml: the chart's defaults, the configuration of the values over them. A provider or route that is
null is left out: Helm itself drops a null only where the chart's values have that name, and here none has.
*/}}
{{- define "costspan.config" -}}
{{- $sidecar := eq .values.mode "sidecar" -}}
{{- $defaults := dict
      "server" (dict "listen" (ternary "127.0.0.1:8080" "0.0.0.0:8080" $sidecar))
      "admin" (dict "listen" "0.0.0.0:9464")
      "ledger" (dict "dir" (printf "%s/ledger" .values.ledger.mountPath)) -}}
{{- $config := mergeOverwrite $defaults (deepCopy .values.config) -}}
{{- range $part := list "providers" "routes" -}}
{{- $entries := dict -}}
{{- range $name, $entry := get $config $part | default dict -}}
{{- if not (kindIs "invalid" $entry) -}}
{{- $_ := set $entries $name $entry -}}
{{- end -}}
{{- end -}}
{{- $_ := set $config $part $entries -}}
{{- end -}}
{{- if not $sidecar -}}
{{- $name := include "costspan.fullname" . -}}
{{- $namespace := .release.Namespace -}}
{{- $hosts := list $name (printf "%s.%s" $name $namespace) (printf "%s.%s.svc" $name $namespace) (printf "%s.%s.svc.cluster.local" $name $namespace) -}}
{{- $_ := set $config.server "allowed_hosts" (concat ($config.server.allowed_hosts | default list) $hosts | uniq) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}

{{- define "costspan.proxyPort" -}}
{{- regexFind "[0-9]+$" (include "costspan.config" . | fromYaml).server.listen -}}
{{- end }}

{{- define "costspan.adminPort" -}}
{{- regexFind "[0-9]+$" (include "costspan.config" . | fromYaml).admin.listen -}}
{{- end }}

{{/* Whole seconds, rounded up, of a duration such as 500ms, 30s, 5m, 2h, 90d. */}}
{{- define "costspan.seconds" -}}
{{- $text := toString . -}}
{{- if not (regexMatch "^(0|[0-9]+(\\.[0-9]+)? ?(ms|s|m|h|d))$" $text) -}}
{{- fail (printf "config.server.shutdown_grace: %q is not a duration such as 30s" $text) -}}
{{- end -}}
{{- $factor := get (dict "" 1.0 "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0) (regexFind "[a-z]*$" $text) -}}
{{- mulf (regexFind "^[0-9.]+" $text | float64) $factor | ceil | int -}}
{{- end }}

{{/* What would fail only after the roll-out, said at render time. */}}
{{- define "costspan.validate" -}}
{{- $config := include "costspan.config" . | fromYaml -}}
{{- if not $config.providers -}}
{{- fail "config.providers: no provider is configured, every request would fail; name one, or begin with -f examples/values-openai.yaml" -}}
{{- end -}}
{{- $loopback := "^(localhost|127\\.[0-9.]+|\\[::1\\]):" -}}
{{- if not (regexMatch ":[0-9]+$" $config.server.listen) -}}
{{- fail (printf "config.server.listen: %q needs an address and a port, e.g. 0.0.0.0:8080" $config.server.listen) -}}
{{- end -}}
{{- if not (regexMatch ":[0-9]+$" (toString $config.admin.listen)) -}}
{{- fail "config.admin.listen: the probes need an admin listener of its own, e.g. 0.0.0.0:9464" -}}
{{- end -}}
{{- if regexMatch $loopback $config.admin.listen -}}
{{- fail (printf "config.admin.listen: %s: the kubelet calls the pod's address, which a loopback listener does not answer; use 0.0.0.0:9464 or [::]:9464" $config.admin.listen) -}}
{{- end -}}
{{- $open := and (not $config.keys) (ne ($config.server.auth | default "keys") "none") -}}
{{- if and $open (not (regexMatch $loopback $config.server.listen)) -}}
{{- fail (printf "config.keys: %s is not loopback, and the gateway does not start there without client keys; add one (costspan key new NAME)" $config.server.listen) -}}
{{- end -}}
{{- if and (eq .values.mode "deployment") (regexMatch $loopback $config.server.listen) -}}
{{- fail (printf "config.server.listen: no Service reaches %s; use 0.0.0.0:8080, or mode: sidecar" $config.server.listen) -}}
{{- end -}}
{{- $grace := include "costspan.seconds" ($config.server.shutdown_grace | default "30s") | int -}}
{{- $sleep := ternary (int .values.preStopSleepSeconds) 0 (eq .values.mode "deployment") -}}
{{- $least := add $grace $sleep 10 | int -}}
{{- if lt (int .values.terminationGracePeriodSeconds) $least -}}
{{- fail (printf "terminationGracePeriodSeconds: %d is too short to drain: shutdown_grace %ds + preStop %ds + 10s = %ds" (int .values.terminationGracePeriodSeconds) $grace $sleep $least) -}}
{{- end -}}
{{- if and .values.ledger.persistence.enabled (eq .values.mode "deployment") (gt (int .values.replicas) 1) -}}
{{- fail "ledger.persistence: one claim holds one writer; set replicas: 1, or keep the emptyDir and let telemetry leave the pod" -}}
{{- end -}}
{{- if and .values.ledger.persistence.enabled (eq .values.mode "sidecar") (not .values.ledger.persistence.existingClaim) -}}
{{- fail "ledger.persistence.existingClaim: a sidecar's claim belongs to the app's chart; name it here" -}}
{{- end -}}
{{- if and .values.secret.env (not .values.secret.existingSecret) -}}
{{- fail "secret.env: needs secret.existingSecret" -}}
{{- end -}}
{{- end }}

{{/* Annotations that roll the pods: of everything, or with watch of what a reload cannot apply. */}}
{{- define "costspan.checksums" -}}
{{- $config := include "costspan.config" . | fromYaml -}}
{{- if eq .values.reload "restart" -}}
checksum/config: {{ include "costspan.config" . | sha256sum }}
{{- else -}}
checksum/listeners: {{ list $config.server.listen $config.server.workers $config.admin.listen | toJson | sha256sum }}
{{- end -}}
{{- end }}

{{/* The container without what only one of the two modes has. */}}
{{- define "costspan.container" -}}
name: costspan
image: {{ include "costspan.image" . | quote }}
imagePullPolicy: {{ .values.image.pullPolicy }}
args:
  - serve
  - -c
  - /etc/costspan/gateway.yaml
  {{- if eq .values.reload "watch" }}
  - --watch
  {{- end }}
env:
  - name: POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  - name: POD_NAMESPACE
    valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
  # Replicas behind one collector stay apart by their instance.
  - name: OTEL_RESOURCE_ATTRIBUTES
    value: service.instance.id=$(POD_NAME),k8s.pod.name=$(POD_NAME),k8s.namespace.name=$(POD_NAMESPACE)
  {{- range .values.secret.env }}
  - name: {{ .name }}
    valueFrom: {secretKeyRef: {name: {{ $.values.secret.existingSecret | quote }}, key: {{ .key | quote }}}}
  {{- end }}
  {{- with .values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
startupProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 10
  timeoutSeconds: 2
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 1
{{- with .values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .values.securityContext | nindent 2 }}
volumeMounts:
  # A directory, never a subPath: the kubelet does not update those.
  - name: costspan-config
    mountPath: /etc/costspan
    readOnly: true
  {{- if .values.secret.existingSecret }}
  - name: costspan-secret
    mountPath: {{ .values.secret.mountPath }}
    readOnly: true
  {{- end }}
  - name: costspan-ledger
    mountPath: {{ .values.ledger.mountPath }}
{{- end }}

{{- define "costspan.volumes" -}}
- name: costspan-config
  configMap:
    name: {{ include "costspan.fullname" . }}
{{- if .values.secret.existingSecret }}
- name: costspan-secret
  secret:
    secretName: {{ .values.secret.existingSecret | quote }}
    defaultMode: 0400
{{- end }}
- name: costspan-ledger
  {{- if .values.ledger.persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ .values.ledger.persistence.existingClaim | default (printf "%s-ledger" (include "costspan.fullname" .)) }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ .values.ledger.sizeLimit }}
  {{- end }}
{{- end }}
