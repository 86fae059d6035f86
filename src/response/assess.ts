import { forEachOf } from '../for-each-of.ts'
import { type ImpactPage, impactOf, impactPages } from '../incident/impact.ts'
import type { ImpactReader, ImpactScope } from '../incident/impact-scope.ts'
import type { KeyEventLog } from '../keys/key-events.ts'
import type { Declaration } from './incident.ts'
import type { IncidentDetails } from './incident-log.ts'
import { NAMES_MAX, type StepControl, type StepEnding } from './step-work.ts'

/** What was protected of one topic. */
export interface TopicImpact {
  readonly messages: number
  readonly bytes: number
}

/** Where it looks, and where it notes which DEKs are known to somebody else. */
export interface AssessPorts {
  readonly reader: ImpactReader
  readonly events: Pick<KeyEventLog, 'append'>
}

/** DEKs whose events are under way at a time. */
const NOTED_AT_ONCE = 16

/**
 * Notes of every DEK that the old key ever wrapped that it is compromised, counts what they protected,
 * in all and by topic, and hands every message to whoever takes the list. May be repeated. Throws
 * SEAL_KEY_UNKNOWN and SEAL_MAPPING_*.
 */
export async function assess(
  { reader, events }: AssessPorts,
  declaration: Declaration,
  { signal, listener, takePage }: StepControl,
): Promise<StepEnding> {
  const scope = impactScopeOf(declaration)
  if (declaration.kind === 'incident') await noteCompromised(reader, events, declaration)
  listener.began('segments counted', null)
  const summary = await impactOf(reader, scope, () => listener.advanced(1))
  listener.began('messages listed', summary.messages)
  const topics = new Map<string, TopicImpact>()
  for await (const page of impactPages(reader, scope)) {
    if (signal.aborted) return { kind: 'stopped', details: {} }
    await takePage?.(page)
    addPage(topics, page)
    listener.advanced(page.frames.count)
  }
  const { deks, segments, objects, messages, bytes, isComplete } = summary
  const counts = { deks, objects, messages, bytes, isComplete, isListed: takePage !== null }
  return { kind: 'done', details: { ...counts, segments: { ...segments }, ...topicsOf(topics) } }
}

/** The same event each time, so that it stands once. */
async function noteCompromised(
  reader: ImpactReader,
  events: AssessPorts['events'],
  { kekId, kekVersion, incidentId, reason, actor, declaredAtMs: atMs }: Declaration,
): Promise<void> {
  const deks = reader.deksOfKek(kekId, kekVersion ?? undefined)
  const event = {
    ...({ kind: 'compromised', atMs, actor, kekId: null, kekVersion: null } as const),
    reason: `incident ${incidentId}: ${reason}`,
  }
  await forEachOf(deks, NOTED_AT_ONCE, ({ dekId }) => events.append([{ ...event, dekId }]))
}

/** What the declaration asks the index about. */
export function impactScopeOf({ kekId, kekVersion, keyDomain }: Declaration): ImpactScope {
  return {
    kekId,
    ...(kekVersion === null ? {} : { kekVersion }),
    ...(keyDomain === null ? {} : { keyDomain }),
  }
}

function addPage(topics: Map<string, TopicImpact>, { frames }: ImpactPage): void {
  const { count, sources, source, length } = frames
  for (let i = 0; i < count; i++) {
    const { topic } = sources[source[i] as number] as { topic: string }
    const before = topics.get(topic) ?? { messages: 0, bytes: 0 }
    const bytes = before.bytes + (length[i] as number)
    topics.set(topic, { messages: before.messages + 1, bytes })
  }
}

function topicsOf(topics: ReadonlyMap<string, TopicImpact>): IncidentDetails {
  const all = [...topics].map(([topic, impact]) => ({ topic, ...impact }))
  const largest = all.toSorted((a, b) => b.messages - a.messages).slice(0, NAMES_MAX)
  return { topicCount: topics.size, topics: largest }
}
