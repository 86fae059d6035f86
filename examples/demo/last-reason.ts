const FAILURE_LEVELS: readonly unknown[] = ['warn', 'error', 'fatal']

/** The last line of an encryptor's log that is a failure: plain text, or the words of a JSON line. */
export function lastReason(log: string): string {
  for (const line of log.trimEnd().split('\n').reverse()) {
    const fields = fieldsOf(line)
    if (fields === null) return line.replace(/^sealstream: /, '')
    const { level, reason, msg } = fields
    if (FAILURE_LEVELS.includes(level)) return String(reason ?? msg)
  }
  return ''
}

function fieldsOf(line: string): Record<string, unknown> | null {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return null
  }
}
