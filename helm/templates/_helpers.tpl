{{- define "smallfirst.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "smallfirst.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "smallfirst.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "smallfirst.selector" -}}
app.kubernetes.io/name: {{ include "smallfirst.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "smallfirst.labels" -}}
{{ include "smallfirst.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "smallfirst.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .fallback }}
{{- end -}}
{{- end -}}

{{- define "smallfirst.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "smallfirst.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{- /* A list of the tiers, small first: each with its name. */ -}}
{{- define "smallfirst.tiers" -}}
{{- $byOrder := dict -}}
{{- range $name, $tier := .Values.tiers -}}
{{- if $tier -}}
{{- $key := printf "%06d/%s" (int $tier.order) $name -}}
{{- $_ := set $byOrder $key (merge (dict "name" $name) $tier) -}}
{{- end -}}
{{- end -}}
{{- $tiers := list -}}
{{- range $key := keys $byOrder | sortAlpha -}}
{{- $tiers = append $tiers (get $byOrder $key) -}}
{{- end -}}
{{- toJson (dict "tiers" $tiers) -}}
{{- end -}}

{{- /* The tiers that this chart runs a server for, each with its own settings laid over the defaults. */ -}}
{{- define "smallfirst.served" -}}
{{- $found := list -}}
{{- range (include "smallfirst.tiers" . | fromJson).tiers -}}
{{- if or (eq .kind "vllm") (eq .kind "multinode") -}}
{{- $settings := mustMergeOverwrite (deepCopy $.Values.vllm) (deepCopy (.vllm | default dict)) -}}
{{- if and (eq .kind "multinode") (eq $settings.cache.kind "claim") (ne $settings.cache.accessMode "ReadWriteMany") -}}
{{- fail (printf "tiers.%s.vllm.cache: pods on several nodes share the claim: accessMode ReadWriteMany, or another kind" .name) -}}
{{- end -}}
{{- if and (gt (int $settings.replicas) 1) (eq $settings.cache.kind "claim") (ne $settings.cache.accessMode "ReadWriteMany") -}}
{{- fail (printf "tiers.%s.vllm.cache: several replicas share the claim: accessMode ReadWriteMany, or another kind" .name) -}}
{{- end -}}
{{- $found = append $found (mustMergeOverwrite (deepCopy .) (dict "vllm" $settings "fullname" (printf "%s-vllm-%s" (include "smallfirst.fullname" $) .name))) -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "tiers" $found) -}}
{{- end -}}

{{- define "smallfirst.metricsPort" -}}
{{- ternary "metrics" "http" (eq .Values.access.kind "keys") -}}
{{- end -}}

{{- define "smallfirst.replicated" -}}
{{- if or (gt (int .Values.replicas) 1) (ne .Values.autoscaling.kind "none") -}}yes{{- end -}}
{{- end -}}

{{- define "smallfirst.peers" -}}
{{- if not .to -}}
{{- fail (printf "%s: say by labels or CIDRs where the network policy lets the gateway go; a name outside needs an egress proxy" .key) -}}
{{- end -}}
{{- toYaml .to -}}
{{- end -}}
