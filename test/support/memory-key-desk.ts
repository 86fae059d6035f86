import type { Clock } from '../../src/clock.ts'
import {
  ANNOUNCED_MS,
  type InstanceKeys,
  type KeyAnswer,
  type KeyDesk,
  type KeyOffice,
  type KeyRequest,
  type SeenInstance,
} from '../../src/keys/key-desk.ts'

/** The desk in memory, held to the same contract as the one over Cassandra. */
export class MemoryKeyDesk implements KeyDesk, KeyOffice {
  readonly #clock: Clock
  readonly #announced = new Map<string, { instance: InstanceKeys; atMs: number }>()
  readonly #requests = new Map<string, KeyRequest>()
  readonly #answers = new Map<string, Map<string, KeyAnswer>>()
  /** Thrown by the calls of an instance to come, one each. */
  readonly failures: Error[] = []
  /** Every answer in the order of writing. */
  readonly answered: KeyAnswer[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async announce(instance: InstanceKeys): Promise<void> {
    this.#fail()
    const atMs = this.#clock.elapsedMs()
    this.#announced.set(instance.instanceId, { instance: structuredClone(instance), atMs })
  }

  async requestIds(): Promise<readonly string[]> {
    this.#fail()
    return [...this.#requests.keys()]
  }

  async findRequest(requestId: string): Promise<KeyRequest | null> {
    this.#fail()
    return this.#requests.get(requestId) ?? null
  }

  async answer(answer: KeyAnswer): Promise<void> {
    this.#fail()
    this.answered.push(structuredClone(answer))
    const ofRequest = this.#answers.get(answer.requestId) ?? new Map<string, KeyAnswer>()
    this.#answers.set(answer.requestId, ofRequest.set(answer.instanceId, structuredClone(answer)))
  }

  async place(request: KeyRequest): Promise<void> {
    this.#requests.set(request.requestId, structuredClone(request))
  }

  async instances(): Promise<readonly SeenInstance[]> {
    return this.#seen().map(({ keys: _, ...instance }) => instance)
  }

  async keysInUse(): Promise<readonly InstanceKeys[]> {
    const speaking = this.#seen().filter(({ isSilent }) => !isSilent)
    return speaking.map(({ isSilent: _, ...instance }) => instance)
  }

  #seen(): (InstanceKeys & SeenInstance)[] {
    const nowMs = this.#clock.elapsedMs()
    return [...this.#announced.values()]
      .map(({ instance, atMs }) => ({ ...instance, isSilent: nowMs - atMs >= ANNOUNCED_MS }))
      .sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1))
  }

  async answers(requestId: string): Promise<readonly KeyAnswer[]> {
    return [...(this.#answers.get(requestId)?.values() ?? [])]
  }

  #fail(): void {
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
  }
}
