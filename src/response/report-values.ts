import { type Incident, kekNameOf, type StepState, stepOf, timesOf } from './incident.ts'
import type { IncidentDetails, IncidentEvent, Json } from './incident-log.ts'

/** What stands where an incident does not know (yet). */
const UNKNOWN = 'not known yet'

/** What the templates of an incident may ask for, as text. Never key bytes, never plaintext. */
export function reportValuesOf(incident: Incident): Readonly<Record<string, string>> {
  const { declaration, closedAtMs, approvals, events, isWithdrawn } = incident
  const { incidentId, kind, reason, by, actor, declaredAtMs, newKekId } = declaration
  const times = timesOf(incident)
  const assessed = stepOf(incident, 'assess').details
  const moved = stepOf(incident, 'reencrypt').details
  const proven = stepOf(incident, 'prove')
  const retired = stepOf(incident, 'retire').details
  return {
    'incident-id': incidentId,
    ...{ kind, reason: inline(reason), 'declared-by': inline(by), 'declared-on': inline(actor) },
    'declared-at': timeText(declaredAtMs),
    'closed-at': closedAtMs === null ? 'still open' : timeText(closedAtMs),
    state: isWithdrawn ? 'withdrawn' : closedAtMs === null ? 'open' : 'closed',
    'old-kek': inline(kekNameOf(declaration)),
    'new-kek': inline(newKekId ?? 'a new version of the same KEK'),
    'key-domain': inline(declaration.keyDomain ?? 'all that have the KEK'),
    'time-to-contain': durationText(times.containMs),
    'time-to-know': durationText(times.knowMs),
    'time-to-clean': durationText(times.cleanMs),
    'last-use-of-old-key': timeOr(stepOf(incident, 'contain').details.oldKeyLastUsedAtMs),
    ...{ messages: countText(assessed.messages), bytes: countText(assessed.bytes) },
    ...{ deks: countText(assessed.deks), objects: countText(assessed.objects) },
    topics: topicsText(assessed),
    'rewrapped-deks': countText(stepOf(incident, 'rewrap').details.deks),
    'reencrypted-segments': countText(moved.done),
    proof: proofText(proven),
    'approved-by': approvals.map((one) => inline(one.by)).join(', ') || 'nobody yet',
    'are-approvals-signed': approvals.length === 0 ? UNKNOWN : signedText(incident),
    'key-in-kms': inline(String(retired.inKms ?? UNKNOWN)),
    'left-to-do': listText(retired.toDo),
    ...{ steps: stepsText(incident), events: events.map(eventText).join('\n') },
    failures: listText(events.filter(({ kind }) => kind === 'step-failed').map(failureText)),
    notices: listText(events.filter(({ kind }) => kind.startsWith('noti')).map(noticeText)),
  }
}

/** A duration for people; what is not known says so. */
export function durationText(ms: number | null): string {
  if (ms === null) return UNKNOWN
  const seconds = ms / 1000
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** What people and KMSs name must not become Markdown of its own, nor another line. */
function inline(text: string): string {
  return text.replace(/[\r\n\t]+/g, ' ').replace(/[\\`*_<>|[\]]/g, '\\$&')
}

function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

function timeOr(value: Json | undefined): string {
  return typeof value === 'number' ? timeText(value) : UNKNOWN
}

function countText(value: Json | undefined): string {
  return typeof value === 'number' ? value.toLocaleString('en') : UNKNOWN
}

function listText(value: Json | undefined): string {
  if (!Array.isArray(value) || value.length === 0) return '- none'
  return value.map((one) => `- ${inline(String(one))}`).join('\n')
}

function topicsText({ topics, topicCount }: IncidentDetails): string {
  if (!Array.isArray(topics)) return UNKNOWN
  const lines = topics.map((entry) => {
    const { topic, messages, bytes } = entry as Record<string, Json>
    return `- ${inline(String(topic))}: ${countText(messages)} messages, ${countText(bytes)} bytes`
  })
  const more = Number(topicCount) - lines.length
  return [...lines, ...(more > 0 ? [`- and ${more} more topics`] : [])].join('\n') || '- none'
}

function proofText({ state, details, endedAtMs }: StepState): string {
  if (state === 'pending' || endedAtMs === null) return UNKNOWN
  const walked = `${countText(details.versions)} versions of objects, ${countText(details.directoryEntries)} entries of the key directory and ${countText(details.deksOnRecord)} DEKs on record`
  const at = timeText(endedAtMs)
  if (state === 'done') return `nothing is opened by the old key, of ${walked}, at ${at}`
  return `NOT proven at ${at}: ${inline(String(details.reason ?? 'see the events'))}`
}

function signedText({ approvals }: Incident): string {
  return approvals.every(({ signature }) => signature !== null)
    ? 'signed with the keys of incident.approvers'
    : 'not signed: names are what the machines at hand said'
}

function stepsText({ steps }: Incident): string {
  const head = ['| Step | State | Tries | Took |', '| --- | --- | --- | --- |']
  const rows = steps.map(
    ({ step, state, attempts, durationMs }) =>
      `| ${step} | ${state} | ${attempts} | ${durationMs === null ? '' : durationText(durationMs)} |`,
  )
  return [...head, ...rows].join('\n')
}

function eventText({ sequence, atMs, actor, kind, step }: IncidentEvent): string {
  const what = step === null ? kind : `${kind} ${step}`
  return `- ${sequence}. ${timeText(atMs)}, ${inline(actor)}: ${what}`
}

function failureText({ step, details }: IncidentEvent): string {
  return `${step}: ${String(details.reason ?? '')}`
}

function noticeText({ kind, details }: IncidentEvent): string {
  const { hook, notice, reason } = details
  const end = kind === 'notified' ? 'was told of' : `was NOT told (${String(reason)}) of`
  return `${String(hook)} ${end} ${String(notice)}`
}
