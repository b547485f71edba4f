{{/*
For other charts: costspan as a native sidecar of their pods. examples/app is a chart that does it.

  {{- $costspan := dict "release" .Release "values" .Values.costspan }}
  template:
    metadata:
      annotations: {{- include "costspan.sidecar.annotations" $costspan | nindent 8 }}
    spec:
      terminationGracePeriodSeconds: {{ .Values.costspan.terminationGracePeriodSeconds }}
      securityContext: {fsGroup: 65532}      # lets the gateway read the files of its Secret
      initContainers: {{- include "costspan.sidecar" $costspan | nindent 8 }}
      volumes: {{- include "costspan.sidecar.volumes" $costspan | nindent 8 }}

The startup probe holds the app's containers back until the gateway answers on 127.0.0.1:8080. There is no preStop: the
kubelet ends a native sidecar after the last of the app's containers, so nobody is left to call it.
*/}}

{{- define "costspan.sidecar" -}}
{{- if ne .values.mode "sidecar" -}}
{{- fail "costspan.sidecar: set mode: sidecar in the values of the costspan subchart" -}}
{{- end -}}
{{- include "costspan.validate" . -}}
- {{ include "costspan.container" . | nindent 2 | trim }}
  restartPolicy: Always
  ports:
    - name: admin
      containerPort: {{ include "costspan.adminPort" . }}
{{- end }}

{{- define "costspan.sidecar.volumes" -}}
{{- include "costspan.volumes" . -}}
{{- end }}

{{- define "costspan.sidecar.annotations" -}}
{{- include "costspan.checksums" . -}}
{{- end }}
