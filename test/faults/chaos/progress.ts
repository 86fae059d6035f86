import type { Admin, Kafka } from 'kafkajs'
import { systemClock } from '../../../src/clock.ts'

const POLL_MS = 250

/** How far the group has come, as Kafka tells it. */
export class Progress {
  readonly #admin: Admin
  readonly #groupId: string
  readonly #topics: readonly string[]

  private constructor(admin: Admin, groupId: string, topics: readonly string[]) {
    this.#admin = admin
    this.#groupId = groupId
    this.#topics = topics
  }

  static async connect(
    kafka: Kafka,
    groupId: string,
    topics: readonly string[],
  ): Promise<Progress> {
    const admin = kafka.admin()
    await admin.connect()
    return new Progress(admin, groupId, topics)
  }

  /**
   * Resolves when all that Kafka holds now is sealed, with the time that it took; null when that is
   * not so within `withinMs`.
   */
  async caughtUp(withinMs: number, signal?: AbortSignal): Promise<number | null> {
    const startedAtMs = systemClock.elapsedMs()
    const overdue = () => systemClock.elapsedMs() - startedAtMs > withinMs || signal?.aborted
    let ends: Map<string, number> | null = null
    while (!overdue()) {
      ends ??= await this.#ends().catch(() => null)
      const committed = await this.#committed().catch(() => null)
      if (ends !== null && committed !== null) {
        const isBehind = [...ends].some(([at, end]) => end > (committed.get(at) ?? 0))
        if (!isBehind) return systemClock.elapsedMs() - startedAtMs
      }
      await systemClock.sleep(POLL_MS, signal)
    }
    return null
  }

  /** Partitions that are not sealed to their end, `topic/partition: committed of end`. */
  async behind(): Promise<string[]> {
    const [ends, committed] = await Promise.all([this.#ends(), this.#committed()])
    return [...ends]
      .filter(([at, end]) => end > (committed.get(at) ?? 0))
      .map(([at, end]) => `${at}: ${committed.get(at) ?? 0} of ${end}`)
  }

  async close(): Promise<void> {
    await this.#admin.disconnect().catch(() => {})
  }

  async #ends(): Promise<Map<string, number>> {
    const ends = new Map<string, number>()
    for (const topic of this.#topics) {
      for (const { partition, high } of await this.#admin.fetchTopicOffsets(topic)) {
        ends.set(`${topic}/${partition}`, Number(high))
      }
    }
    return ends
  }

  async #committed(): Promise<Map<string, number>> {
    const groupId = this.#groupId
    const rows = await this.#admin.fetchOffsets({ groupId, topics: [...this.#topics] })
    return new Map(
      rows.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset }) => [`${topic}/${partition}`, Number(offset)]),
      ),
    )
  }
}
