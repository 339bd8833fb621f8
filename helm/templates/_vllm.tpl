{{- /* The command line of a server, behind `vllm serve`. */ -}}
{{- define "smallfirst.vllmArgs" -}}
{{- $vllm := .vllm -}}
{{- $args := list .model "--served-model-name" .name "--port" "8000" "--max-model-len" (int64 .context | toString) "--gpu-memory-utilization" (toString $vllm.memoryShare) -}}
{{- if gt (int $vllm.gpus) 1 }}{{ $args = concat $args (list "--tensor-parallel-size" (int $vllm.gpus | toString)) }}{{ end -}}
{{- if eq .kind "multinode" -}}
{{- $args = concat $args (list "--pipeline-parallel-size" (int $vllm.multinode.nodes | toString) "--distributed-executor-backend" "ray") -}}
{{- end -}}
{{- with $vllm.quantization }}{{ $args = concat $args (list "--quantization" .) }}{{ end -}}
{{- with $vllm.speculative }}{{ $args = concat $args (list "--speculative-config" (toJson .)) }}{{ end -}}
{{- if $vllm.lora -}}
{{- $args = concat $args (list "--enable-lora" "--lora-modules") -}}
{{- range $name, $path := $vllm.lora }}{{ $args = append $args (printf "%s=%s" $name $path) }}{{ end -}}
{{- end -}}
{{- toJson (dict "args" (concat $args $vllm.args)) -}}
{{- end -}}

{{- define "smallfirst.vllmLabels" -}}
{{ include "smallfirst.labels" .root }}
app.kubernetes.io/component: vllm
smallfirst.io/tier: {{ .tier.name }}
{{- end -}}

{{- /* The pod of a server; `role` is single, leader or worker. */ -}}
{{- define "smallfirst.vllmPod" -}}
{{- $tier := .tier -}}
{{- $vllm := .tier.vllm -}}
{{- $args := (include "smallfirst.vllmArgs" $tier | fromJson).args -}}
{{- $answers := ne .role "worker" -}}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ add $vllm.preStop $vllm.terminationSeconds }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $vllm.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
securityContext: {{- toYaml $vllm.podSecurityContext | nindent 2 }}
containers:
  - name: vllm
    image: {{ include "smallfirst.image" (dict "image" $vllm.image "fallback" "") }}
    imagePullPolicy: {{ $vllm.image.pullPolicy }}
    {{- if eq .role "single" }}
    command: [vllm, serve]
    args: {{- toYaml $args | nindent 6 }}
    {{- else if eq .role "leader" }}
    # the script of the image waits until every node has joined; $0 is it, what follows is for vLLM
    command: [bash, -c, 'bash "$0" leader --ray_cluster_size="$LWS_GROUP_SIZE" && exec vllm serve "$@"', {{ $vllm.multinode.script }}]
    args: {{- toYaml $args | nindent 6 }}
    {{- else }}
    command: [bash, -c, 'exec bash "$0" worker --ray_address="$LWS_LEADER_ADDRESS"', {{ $vllm.multinode.script }}]
    {{- end }}
    {{- if $answers }}
    ports:
      - {name: http, containerPort: 8000}
    {{- end }}
    env:
      - {name: HF_HOME, value: /models/huggingface}
      - {name: VLLM_CACHE_ROOT, value: /models/vllm}
      - {name: HF_HUB_DISABLE_TELEMETRY, value: "1"}
      - {name: VLLM_NO_USAGE_STATS, value: "1"}
      {{- if $vllm.offline }}
      - {name: HF_HUB_OFFLINE, value: "1"}
      {{- end }}
      {{- if $vllm.tokenSecret.name }}
      - name: HF_TOKEN
        valueFrom:
          secretKeyRef: {name: {{ $vllm.tokenSecret.name }}, key: {{ $vllm.tokenSecret.key }}}
      {{- end }}
      {{- with $vllm.env }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- if $answers }}
    startupProbe:
      httpGet: {path: /health, port: http}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: {{ div (add $vllm.startupSeconds 9) 10 }}
    livenessProbe:
      httpGet: {path: /health, port: http}
      periodSeconds: 10
      timeoutSeconds: 10
      failureThreshold: 6
    readinessProbe:
      httpGet: {path: /health, port: http}
      periodSeconds: 5
      timeoutSeconds: 5
      failureThreshold: 3
    lifecycle:
      preStop:
        exec: {command: [sleep, {{ $vllm.preStop | quote }}]}
    {{- end }}
    {{- $limits := merge (dict $vllm.gpuResource (int $vllm.gpus)) ($vllm.resources.limits | default dict) }}
    resources: {{- toYaml (dict "requests" $vllm.resources.requests "limits" $limits) | nindent 6 }}
    securityContext: {{- toYaml $vllm.securityContext | nindent 6 }}
    volumeMounts:
      - {name: models, mountPath: /models}
      - {name: shm, mountPath: /dev/shm}
volumes:
  - name: models
    {{- if eq $vllm.cache.kind "claim" }}
    persistentVolumeClaim: {claimName: {{ $tier.fullname }}-models}
    {{- else if eq $vllm.cache.kind "existingClaim" }}
    persistentVolumeClaim: {claimName: {{ required (printf "tiers.%s.vllm.cache.existingClaim" $tier.name) $vllm.cache.existingClaim }}}
    {{- else if eq $vllm.cache.kind "hostPath" }}
    hostPath: {path: {{ required (printf "tiers.%s.vllm.cache.hostPath" $tier.name) $vllm.cache.hostPath }}, type: DirectoryOrCreate}
    {{- else }}
    emptyDir: {sizeLimit: {{ $vllm.cache.size }}}
    {{- end }}
  - name: shm
    emptyDir: {medium: Memory, sizeLimit: {{ $vllm.shm }}}
{{- with $vllm.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $vllm.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $vllm.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
