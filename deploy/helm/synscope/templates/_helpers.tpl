{{- define "synscope.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "synscope.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "synscope.selector" -}}
app.kubernetes.io/name: {{ include "synscope.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "synscope.labels" -}}
{{ include "synscope.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "synscope.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "synscope.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "synscope.config" -}}
page:
  listen: {{ printf "%s:%v" .Values.page.address .Values.page.port | quote }}
{{- if .Values.page.tokenSecret }}
  tokenFile: /etc/synscope-token/token
{{- end }}
{{- if .Values.config }}
{{ toYaml .Values.config }}
{{- end }}
{{- end -}}
