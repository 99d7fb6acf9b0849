{{- define "hopcount.labels" -}}
app.kubernetes.io/name: {{ .Release.Name }}
{{- end }}

{{- define "hopcount.image" -}}
{{ printf "%s:%s" .Values.image.repository .Values.image.tag }}
{{- end }}

{{- define "hopcount.podSecurity" -}}
runAsNonRoot: true
seccompProfile: { type: RuntimeDefault }
{{- if and .Values.persistence.enabled .Values.persistence.fsGroup }}
# So that the volume may be written.
fsGroup: {{ .Values.persistence.fsGroup | int }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
{{- end }}

{{- define "hopcount.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "hopcount.mounts" -}}
- { name: state, mountPath: /var/lib/hopcount }
- { name: config, mountPath: /etc/hopcount, readOnly: true }
- { name: keys, mountPath: /run/secrets/hopcount, readOnly: true }
- { name: redis, mountPath: /run/secrets/redis, readOnly: true }
{{- end }}

{{- define "hopcount.volumes" -}}
- name: config
  configMap: { name: {{ .Release.Name }} }
# Readable by the group, as hopcountd asks: others may not read a key.
- name: keys
  secret: { secretName: {{ .Values.secrets.keys }}, defaultMode: 0440 }
- name: redis
  secret: { secretName: {{ .Values.secrets.redis }}, defaultMode: 0440, optional: true }
{{- end }}

{{- define "hopcount.pod" -}}
metadata:
  labels:
    {{- include "hopcount.labels" . | nindent 4 }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds | int }}
  securityContext:
    {{- include "hopcount.podSecurity" . | nindent 4 }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: topology.kubernetes.io/zone
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "hopcount.labels" . | nindent 10 }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "hopcount.labels" . | nindent 10 }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: hopcount
      image: {{ include "hopcount.image" . }}
      ports:
        - { name: links, containerPort: 8080 }
        - { name: admin, containerPort: 8081 }
      startupProbe:
        httpGet: { path: /livez, port: admin }
        periodSeconds: 1
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /livez, port: admin }
        periodSeconds: 10
        failureThreshold: 3
      # Does not depend on Redis: without it links still lead to their pages.
      readinessProbe:
        httpGet: { path: /readyz, port: admin }
        periodSeconds: 2
        failureThreshold: 1
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        {{- include "hopcount.containerSecurity" . | nindent 8 }}
      volumeMounts:
        {{- include "hopcount.mounts" . | nindent 8 }}
  volumes:
    {{- if not .Values.persistence.enabled }}
    # Clicks of the last moments, until Redis has them. It survives the container, not the pod.
    - name: state
      emptyDir: { sizeLimit: {{ .Values.persistence.emptyDirLimit }} }
    {{- end }}
    {{- include "hopcount.volumes" . | nindent 4 }}
{{- end }}
