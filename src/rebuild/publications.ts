import { isSealError } from '../errors.ts'
import { parseReferences } from '../format/reference-list.ts'
import type { Reference } from '../format/reference-value.ts'
import type { ReferenceLog } from '../incident/reference-log.ts'
import type { ScannedSegment } from '../incident/store-scan.ts'
import { CLOCK_SKEW_MS } from '../incident/sweep-plan.ts'

/**
 * What the committed references say of a segment. named: one of them names it; unnamed: its time is
 * covered, and none does; untold: its time is not covered, or nobody asked.
 */
export type Publication = 'named' | 'unnamed' | 'untold'

/** The hour at the end of the folders of an object key. */
const HOUR = /\/(\d{4})\/(\d{2})\/(\d{2})\/(\d{2})\/[^/]+$/

/**
 * Everything that the reference topics tell of objects, held as one name an object. A topic that was
 * created again has lost what it said before, and shows no gap: so it is not asked about what is older
 * than the oldest segment that it names itself.
 */
export class Publications {
  /** By object key: the topic of the last reference that names it. */
  readonly #named = new Map<string, string>()
  /** By source topic: the hour of the oldest segment that its references name. */
  readonly #oldest = new Map<string, number>()
  #completeSinceMs = Number.POSITIVE_INFINITY

  private constructor() {}

  /** For when nobody can be asked: of every segment it is untold whether it was published. */
  static none(): Publications {
    return new Publications()
  }

  /** Reads all references there are. Throws SEAL_STOPPED, SEAL_TOPIC_MISSING and SEAL_KAFKA_*. */
  static async read(
    log: ReferenceLog,
    signal: AbortSignal,
    onRead: (references: number) => void,
  ): Promise<Publications> {
    const publications = new Publications()
    let isReadable = true
    const completeSinceMs = await log.read(
      0,
      (values) => {
        for (const value of values) {
          const references = publications.#parse(value)
          const [first] = references
          if (first === undefined) isReadable = false
          else publications.#take(first)
          onRead(Math.max(1, references.length))
        }
      },
      signal,
    )
    // What cannot be read may name anything.
    if (isReadable) publications.#completeSinceMs = completeSinceMs
    return publications
  }

  of({ version, createdAtMs, frames }: ScannedSegment): Publication {
    if (this.#named.has(version.key)) return 'named'
    const since = [this.#completeSinceMs]
    for (const { topic } of frames.sources) {
      since.push(this.#oldest.get(topic) ?? Number.POSITIVE_INFINITY)
    }
    const isCovered = since.every((atMs) => createdAtMs - CLOCK_SKEW_MS >= atMs)
    return isCovered ? 'unnamed' : 'untold'
  }

  /** None for a value that no encryptor of this release wrote. Those of one value name one object. */
  #parse(value: Uint8Array): readonly Reference[] {
    try {
      return parseReferences(value)
    } catch (error) {
      if (isSealError(error)) return []
      throw error
    }
  }

  #take({ object, topic }: Reference): void {
    if (this.#named.get(object) === topic) return
    this.#named.set(object, topic)
    const [, year, month, day, hour] = HOUR.exec(object) ?? []
    if (year === undefined) return
    const atMs = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour))
    this.#oldest.set(topic, Math.min(atMs, this.#oldest.get(topic) ?? atMs))
  }
}
