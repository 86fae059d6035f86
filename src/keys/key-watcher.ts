import type { Clock } from '../clock.ts'
import type { KekFollower, NewOrders } from './kek-follower.ts'
import type { KekOrder } from './kek-orders.ts'
import type { Instance, KeyAnswer, KeyDesk, KeyRequest } from './key-desk.ts'
import type { KeyObserver } from './key-observer.ts'
import type { RunningKeys } from './running-keys.ts'

const READ_EVERY_MS = 1_000
const ANNOUNCE_EVERY_MS = 3_000
/** Whoever waits for the word of an instance that starts waits for one of the last orders. */
const ORDERS_ANSWERED = 100

/** What a watcher is made of. */
export interface WatcherServices {
  readonly desk: KeyDesk
  readonly keks: Pick<KekFollower, 'look' | 'orders'>
  readonly keys: RunningKeys
  readonly clock: Clock
  readonly observer: Omit<KeyObserver, 'keyEventsUnwritten' | 'keyEventsLost'>
}

/**
 * Stands at the key desk for this process: tells that it runs and which DEKs it uses, looks every
 * second for what operators ask, does it, and answers; and for new KEK orders, which it has taken
 * over, and ends the windows that they mean. At idle that is two small reads a second and one small
 * write in three.
 *
 * No clock is compared with another one. A request that is there at the start is older than every
 * DEK of this process, so it is answered and nothing is done; every other one is carried out once,
 * whenever it was placed. The instance is announced before it looks for the first time: an operator
 * who places a request and then reads who is running misses only instances that see the request
 * before they make a DEK.
 */
export class KeyWatcher {
  readonly #services: WatcherServices
  readonly #self: Pick<Instance, 'instanceId' | 'groupId' | 'startedAtMs'>
  #known: ReadonlySet<string> = new Set()
  /** The latest answer to each request, as long as it is not written. */
  readonly #unsent = new Map<string, KeyAnswer>()
  /** By order: what was said of it last. */
  readonly #refusals = new Map<string, string>()
  #announcedAtMs = Number.NEGATIVE_INFINITY
  /** Beside the looking for requests: a KMS that is slow must not keep those waiting. */
  #following: Promise<void> | null = null
  #isStopping = false
  #pause = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(services: WatcherServices, self: Pick<Instance, 'instanceId' | 'groupId'>) {
    this.#services = services
    this.#self = { ...self, startedAtMs: services.clock.nowMs() }
  }

  /**
   * Call it before the first DEK is made. Rejects when the desk cannot be reached, for a process that
   * nobody sees must hold no DEK; and when a KEK order cannot be taken over.
   */
  async start(): Promise<void> {
    const { keks, observer } = this.#services
    await this.#announce('running')
    for (const request of await this.#newRequests()) this.#answer(request, [])
    const { refused } = await keks.look()
    for (const { error } of refused) throw error
    for (const order of keks.orders.slice(-ORDERS_ANSWERED)) this.#answer(requestOf(order), [])
    const newest = keks.orders.at(-1)
    if (newest !== undefined) observer.kekOrderTaken(newest)
    await this.#send()
    observer.keyDeskRead()
    this.#running = this.#run()
  }

  /**
   * Call it when the road has ended: gives the last answers and, when no DEK is left, says so, within
   * `withinMs`. With DEKs left, it falls silent instead: nobody may take them for gone.
   */
  async stop(withinMs: number): Promise<void> {
    this.#isStopping = true
    this.#pause.abort()
    const over = new AbortController()
    const say = async () => {
      await this.#running
      // Rotations whose last segment has just been closed.
      await new Promise((resolve) => setImmediate(resolve))
      await this.#send()
      if (this.#services.keys.held() === 0) await this.#announce('stopped')
    }
    const said = say().catch((error) => this.#services.observer.keyRecordsFailed('key desk', error))
    await Promise.race([said, this.#services.clock.sleep(withinMs, over.signal)])
    over.abort()
  }

  async #run(): Promise<void> {
    const { clock, observer } = this.#services
    while (!this.#isStopping) {
      await clock.sleep(READ_EVERY_MS, this.#pause.signal)
      if (this.#isStopping) return
      this.#pause = new AbortController()
      try {
        for (const request of await this.#newRequests()) {
          this.#carryOut(request, request.scope.dekId === null ? 'rotate-now' : 'retire')
        }
        this.#following ??= this.#follow()
        // Before the answers: whoever has these finds the list of keys in use as it is then.
        const isDue = clock.elapsedMs() - this.#announcedAtMs >= ANNOUNCE_EVERY_MS
        if (isDue || this.#unsent.size > 0) await this.#announce('running')
        await this.#send()
        observer.keyDeskRead()
      } catch (error) {
        observer.keyRecordsFailed('key desk', error)
      }
    }
  }

  /** Requests that were not there before; each is given once. */
  async #newRequests(): Promise<KeyRequest[]> {
    const { desk } = this.#services
    const ids = await desk.requestIds()
    const requests: KeyRequest[] = []
    for (const id of ids) {
      if (this.#known.has(id)) continue
      const request = await desk.findRequest(id)
      if (request !== null) requests.push(request)
    }
    this.#known = new Set(ids)
    return requests
  }

  /** Takes new KEK orders over, and tells of those that it cannot take over. */
  async #follow(): Promise<void> {
    const { keks, observer } = this.#services
    try {
      const { taken, refused } = await keks.look()
      if (this.#isStopping) return
      this.#takeOver(taken)
      observer.kekOrdersRefused(refused)
      this.#refuse(refused)
      if (this.#unsent.size > 0) this.#pause.abort()
    } catch (error) {
      observer.keyRecordsFailed('key desk', error)
    } finally {
      this.#following = null
    }
  }

  #takeOver(taken: NewOrders['taken']): void {
    for (const order of taken) {
      this.#services.observer.kekOrderTaken(order)
      this.#refusals.delete(order.orderId)
      this.#carryOut(requestOf(order), 'rotate kek')
    }
  }

  #refuse(refused: NewOrders['refused']): void {
    for (const { order, error } of refused) {
      // What passes is no answer: it is tried again every second.
      if (error.retryable || this.#refusals.get(order.orderId) === error.message) continue
      this.#refusals.set(order.orderId, error.message)
      const acceptedAtMs = this.#services.clock.nowMs()
      const answer = this.#answerTo(requestOf(order), { acceptedAtMs, refusal: error.message })
      this.#unsent.set(order.orderId, answer)
    }
  }

  /** Ends the windows at once; the answer follows when the segments under them are closed. */
  #carryOut(request: KeyRequest, name: string): void {
    const { keys, observer, clock } = this.#services
    const { requestId, actor, reason, scope } = request
    const acceptedAtMs = clock.nowMs()
    const retiring = keys.rotate(scope, `${name} by ${actor}: ${reason}`)
    this.#unsent.set(requestId, this.#answerTo(request, { acceptedAtMs }))
    retiring.then(
      (retired) => {
        observer.keysRotated(requestId, reason, retired.length)
        this.#answer(request, retired, acceptedAtMs)
        this.#pause.abort()
      },
      // It stays unfinished for who asked.
      (error: unknown) => observer.keyRecordsFailed('key desk', error),
    )
  }

  #answer(
    request: KeyRequest,
    retired: KeyAnswer['retired'],
    acceptedAtMs = this.#services.clock.nowMs(),
  ): void {
    const finishedAtMs = this.#services.clock.nowMs()
    const answer = this.#answerTo(request, { acceptedAtMs, finishedAtMs, retired })
    this.#unsent.set(request.requestId, answer)
  }

  #answerTo(
    { requestId }: KeyRequest,
    done: Pick<KeyAnswer, 'acceptedAtMs'> & Partial<KeyAnswer>,
  ): KeyAnswer {
    const { instanceId } = this.#self
    return { requestId, instanceId, finishedAtMs: null, retired: [], refusal: null, ...done }
  }

  async #send(): Promise<void> {
    for (const [requestId, answer] of [...this.#unsent]) {
      await this.#services.desk.answer(answer)
      if (this.#unsent.get(requestId) === answer) this.#unsent.delete(requestId)
    }
  }

  async #announce(state: Instance['state']): Promise<void> {
    const { desk, keys, clock } = this.#services
    const announcedAtMs = clock.elapsedMs()
    const inUse = state === 'running' ? keys.inUse() : []
    await desk.announce({ ...this.#self, state, seenAtMs: clock.nowMs(), keys: inUse })
    this.#announcedAtMs = announcedAtMs
  }
}

/** An order as a request to the windows that it means. */
function requestOf({ orderId, placedAtMs, actor, reason, keyDomain }: KekOrder): KeyRequest {
  const scope = { dekId: null, keyDomain }
  return { requestId: orderId, askedAtMs: placedAtMs, actor, reason, scope }
}
