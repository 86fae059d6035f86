import { systemClock } from '../../clock.ts'

/** Whose coordinator is looked for: a group's, or a transactional id's. */
interface Wanted {
  readonly groupId: string
  readonly coordinatorType: number
}

type Find<Answer> = (wanted: Wanted) => Promise<Answer>

/**
 * So long an answer is taken for true. A broker that is no longer the coordinator says so: kafkajs tries adding
 * partitions and joining again for longer than this, and any other step of a transaction ends the publisher,
 * whose successor has a cluster of its own, which asks.
 */
const RECENT_MS = 500

/**
 * For kafkajs' look-up of coordinators, a method of its cluster: looks again only after half a second. The
 * library asks a broker anew before each of four steps of a transaction, which was most of what a small
 * transaction waited for.
 */
export function withRecentCoordinators<Answer>(find: Find<Answer>): Find<Answer> {
  const known = new WeakMap<
    object,
    Map<string, { readonly answer: Answer; readonly atMs: number }>
  >()
  return async function (this: object, wanted: Wanted): Promise<Answer> {
    const ofCluster = known.get(this) ?? new Map()
    known.set(this, ofCluster)
    const name = `${wanted.coordinatorType}/${wanted.groupId}`
    const recent = ofCluster.get(name)
    const nowMs = systemClock.elapsedMs()
    if (recent !== undefined && nowMs - recent.atMs < RECENT_MS) return recent.answer
    const answer = await find.call(this, wanted)
    ofCluster.set(name, { answer, atMs: nowMs })
    return answer
  }
}
