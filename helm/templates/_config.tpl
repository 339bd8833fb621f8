{{- /* How the gateway reaches a tier: an entry of `engines`. */ -}}
{{- define "smallfirst.engine" -}}
{{- $tier := .tier -}}
{{- if eq $tier.kind "embedded" -}}
{{- toJson (dict "kind" "embedded" "path" $tier.model) -}}
{{- else if eq $tier.kind "existing" -}}
{{- $engine := dict "kind" "openai" "flavour" ($tier.flavour | default "openai") "base_url" $tier.url "model" $tier.model "context" $tier.context -}}
{{- with $tier.apiKeyEnv }}{{ $_ := set $engine "api_key_env" . }}{{ end -}}
{{- with $tier.timeouts }}{{ $_ := set $engine "timeouts" . }}{{ end -}}
{{- toJson $engine -}}
{{- else -}}
{{- $url := printf "http://%s-vllm-%s:8000/v1" (include "smallfirst.fullname" .root) $tier.name -}}
{{- $engine := dict "kind" "openai" "flavour" "vllm" "base_url" $url "model" ($tier.adapter | default $tier.name) "context" $tier.context -}}
{{- with $tier.timeouts }}{{ $_ := set $engine "timeouts" . }}{{ end -}}
{{- toJson $engine -}}
{{- end -}}
{{- end -}}

{{- /* The gateway's whole configuration. */ -}}
{{- define "smallfirst.config" -}}
{{- $all := (include "smallfirst.tiers" . | fromJson).tiers -}}
{{- $engines := dict -}}
{{- $tiers := list -}}
{{- range $tier := $all -}}
{{- $_ := set $engines .name (include "smallfirst.engine" (dict "root" $ "tier" .) | fromJson) -}}
{{- /* a price by the hour stands in place of the token prices that the default values have */ -}}
{{- $price := ternary (pick .price "hour" "machine") .price (hasKey .price "hour") -}}
{{- $rung := dict "name" .name "engine" .name "context" .context "price" $price "location" (.location | default "inside") -}}
{{- with .modalities }}{{ $_ := set $rung "modalities" . }}{{ end -}}
{{- with .keepTools }}{{ $_ := set $rung "keep_tools" . }}{{ end -}}
{{- $tiers = append $tiers $rung -}}
{{- end -}}
{{- $route := merge (dict "tiers" $tiers) (deepCopy .Values.route) -}}
{{- $bundled := eq (index $all 0).kind "embedded" -}}
{{- if not $route.verifiers -}}
{{- $verifiers := list (dict "kind" "contract") (dict "kind" "function") -}}
{{- if $bundled -}}
{{- $verifiers = append $verifiers (dict "kind" "confidence" "score" "learned" "calibration" "calibration/auto.json") -}}
{{- $route = merge $route (dict "repair" 0) -}}
{{- end -}}
{{- $_ := set $route "verifiers" $verifiers -}}
{{- end -}}
{{- $drain := dict "delay" .Values.drain.delay "timeout" .Values.drain.timeout -}}
{{- $listen := dict "host" "0.0.0.0" "port" 8080 "max_concurrency" .Values.maxConcurrency "drain" $drain -}}
{{- $access := dict "open" true -}}
{{- if eq .Values.access.kind "keys" -}}
{{- $_ := set $listen "internal" (dict "host" "0.0.0.0" "port" 9090 "open" true) -}}
{{- $access = dict "keys_file" "/etc/smallfirst-keys/keys.yaml" -}}
{{- if .Values.redis.urlSecret.name }}{{ $_ := set $access "redis_env" "REDIS_URL" }}{{ end -}}
{{- end -}}
{{- $config := dict "listen" $listen "access" $access "default_route" "auto" "engines" $engines "routes" (dict "auto" $route) -}}
{{- if $bundled }}{{ $_ := set $config "functions" "server.assistant:registry" }}{{ end -}}
{{- $store := .Values.store -}}
{{- if eq $store.kind "sqlite" -}}
{{- $_ := set $config "outcomes" (dict "url" "sqlite:////var/lib/smallfirst/outcomes.db" "content" $store.content "days" $store.days) -}}
{{- else if eq $store.kind "postgresql" -}}
{{- $where := $store.postgresql -}}
{{- $url := printf "postgresql://%s@%s:%d/%s?sslmode=%s" $where.user $where.host (int $where.port) $where.database $where.sslmode -}}
{{- $_ := set $config "outcomes" (dict "url" $url "content" $store.content "days" $store.days) -}}
{{- end -}}
{{- mustMergeOverwrite $config (deepCopy .Values.config) | toYaml -}}
{{- end -}}
