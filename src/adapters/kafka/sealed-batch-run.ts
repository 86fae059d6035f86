import type { ConsumerRunConfig, EachBatchPayload, EachMessagePayload, KafkaMessage } from 'kafkajs'
import type { Clock } from '../../clock.ts'
import { isSealError, type SealError } from '../../errors.ts'
import { beating } from '../../pipeline/beating.ts'
import {
  actionFor,
  type ErrorPolicies,
  type Retry,
  settlePatiently,
} from '../../reader/error-policy.ts'
import type { Outcome } from '../../reader/range-opener.ts'
import type { SealedReader, SettleOptions } from '../../reader/sealed-reader.ts'
import { type OpenedSlice, type Slice, slicesAhead } from '../../reader/slices-ahead.ts'
import type { DeadLetterSink } from './dead-letters.ts'
import { type Entry, RecordSlices, recordOf } from './record-slices.ts'
import { SealedBatch, type SealedMessage, sealedMessage } from './sealed-messages.ts'

/** As kafkajs' payload of one message, with the message that its producer sent. */
export interface EachSealedMessagePayload extends Omit<EachMessagePayload, 'message'> {
  readonly message: SealedMessage
}

/** As kafkajs' payload of a batch, with the messages that their producers sent. */
export interface EachSealedBatchPayload extends Omit<EachBatchPayload, 'batch'> {
  readonly batch: SealedBatch
}

/** As kafkajs' configuration of a run. */
export interface SealedRunConfig extends Omit<ConsumerRunConfig, 'eachBatch' | 'eachMessage'> {
  readonly eachMessage?: (payload: EachSealedMessagePayload) => Promise<void>
  /** Gets a fetch in pieces when its messages take much memory; each is resolved by itself. */
  readonly eachBatch?: (payload: EachSealedBatchPayload) => Promise<void>
}

/** What opens the references of a fetch, and takes what does not open. */
export interface BatchServices {
  readonly reader: Pick<SealedReader, 'settleReferences'>
  readonly clock: Clock
  readonly policies: ErrorPolicies
  readonly deadLetter: DeadLetterSink
  readonly onRetry: (retry: Retry) => void
  /** Whether the partition is paused, whoever did it. */
  readonly isPaused: (topic: string, partition: number) => boolean
  readonly bytesAheadMax: number
  /** Ends the run of the batch without anything more being handed over. */
  readonly signal: AbortSignal
}

type OpenedEntries = OpenedSlice<Entry, Outcome[]>

/** Slices of a fetch are pieces of what may be ahead, so that one is opened while another is at work. */
const SLICES_AHEAD = 4

/** Ends a wait that nobody needs any more. */
const INTERRUPTED = Symbol('interrupted')

/**
 * One fetch of one partition of a reference topic on its way to the handler of the user. An offset is
 * resolved when its message was handed over and the handler is done with it, or when its dead letter is
 * kept, and in order, as kafkajs does.
 */
export class SealedBatchRun {
  readonly #services: BatchServices
  readonly #config: SealedRunConfig
  readonly #payload: EachBatchPayload
  readonly #source: SettleOptions['source']
  readonly #records: readonly KafkaMessage[]

  constructor(
    services: BatchServices,
    config: SealedRunConfig,
    payload: EachBatchPayload,
    source: SettleOptions['source'],
  ) {
    this.#services = services
    this.#config = config
    this.#payload = payload
    this.#source = source
    // In this product's own processes a fetch makes its records anew with every walk.
    this.#records = [...payload.batch.messages]
  }

  /** Throws what the handler does, what the heart does, and the SealError that a policy stops at. */
  async run(): Promise<void> {
    const { batch, resolveOffset } = this.#payload
    const { bytesAheadMax, signal } = this.#services
    const slices = slicesAhead(
      new RecordSlices(this.#records, bytesAheadMax / SLICES_AHEAD),
      (slice, end) => this.#open(slice, end),
      bytesAheadMax,
      signal,
    )
    try {
      for (;;) {
        const next = await this.#beating(slices.next())
        if (next === INTERRUPTED) return
        if (next.done) break
        const goesOn = await this.#handOver(next.value)
        if (!goesOn) return
      }
      // Of a fetch that holds markers alone.
      if (this.#records.length === 0) resolveOffset(batch.lastOffset())
    } catch (error) {
      // Who takes messages one by one has left: what was not done with comes again.
      if (!signal.aborted || !isSealError(error, 'SEAL_STOPPED')) throw error
    } finally {
      slices.return().catch(() => {})
    }
  }

  #open({ values }: Slice<Entry>, signal: AbortSignal): Promise<Outcome[]> {
    const { reader, policies, clock, onRetry } = this.#services
    const references = values.map(({ reference }) => reference)
    const options = { policies, clock, onRetry, signal, source: this.#source }
    return settlePatiently(reader, references, options)
  }

  /** Whether the rest of the fetch may follow. */
  #handOver(slice: OpenedEntries): Promise<boolean> {
    const { eachMessage, eachBatch } = this.#config
    if (eachMessage !== undefined) return this.#eachMessage(slice, eachMessage)
    return this.#eachBatch(slice, eachBatch ?? (async () => {}))
  }

  async #eachMessage(
    { values, opened }: OpenedEntries,
    handler: NonNullable<SealedRunConfig['eachMessage']>,
  ): Promise<boolean> {
    const { batch, heartbeat, pause } = this.#payload
    const { topic, partition } = batch
    for (const [i, entry] of values.entries()) {
      if (this.#isOver()) return false
      const outcome = opened[i] as Outcome
      if (isSealError(outcome)) await this.#passOver(outcome, entry)
      else {
        const message = sealedMessage(entry.resolves, outcome)
        await handler({ topic, partition, message, heartbeat, pause })
      }
      if (!(await this.#resolved(entry))) return false
    }
    return true
  }

  async #eachBatch(
    { values, opened }: OpenedEntries,
    handler: NonNullable<SealedRunConfig['eachBatch']>,
  ): Promise<boolean> {
    if (this.#isOver()) return false
    const messages: SealedMessage[] = []
    let end = -1
    let stopped: SealError | null = null
    let handed: KafkaMessage | null = null
    for (const [i, entry] of values.entries()) {
      const outcome = opened[i] as Outcome
      if (!isSealError(outcome)) {
        messages.push(sealedMessage(entry.resolves, outcome))
        handed = entry.record
      } else if (this.#stops(outcome)) stopped = outcome
      else {
        await this.#passOver(outcome, entry)
        // The last of its record that is handed over speaks for what was passed over behind it.
        if (entry.isLast && handed === entry.record) retarget(messages, entry.resolves)
      }
      if (stopped !== null) break
      end = i
    }
    const last = values[end]
    const isWhole = last === undefined || (await this.#batch(messages, last, handler))
    if (stopped !== null && isWhole) throw final(stopped)
    return isWhole
  }

  /** Hands messages over that speak for everything up to `last`; whether all of that is resolved. */
  async #batch(
    messages: SealedMessage[],
    last: Entry,
    handler: NonNullable<SealedRunConfig['eachBatch']>,
  ): Promise<boolean> {
    const { batch, resolveOffset } = this.#payload
    const { eachBatchAutoResolve = true } = this.#config
    const isEnd = last.isLast && last.record === this.#records.at(-1)
    const lastOffset = last.resolves
    const sealed = new SealedBatch(batch, messages, isEnd ? batch.lastOffset() : lastOffset)
    let isResolved = messages.length === 0
    const resolve = (offset: string) => {
      // What follows the last message was passed over, or is no message: nobody else can resolve it.
      isResolved = BigInt(offset) >= BigInt(messages.at(-1)?.offset ?? 0)
      resolveOffset(isResolved ? lastOffset : offset)
    }
    if (messages.length > 0) {
      await handler({ ...this.#payload, batch: sealed, resolveOffset: resolve })
    }
    if (!isResolved && !eachBatchAutoResolve) return false
    return this.#resolved(last)
  }

  /** Marks everything up to a message as done; whether there is more to be done. */
  async #resolved({ resolves }: Pick<Entry, 'resolves'>): Promise<boolean> {
    const { batch, resolveOffset, heartbeat, commitOffsetsIfNecessary } = this.#payload
    resolveOffset(resolves)
    await heartbeat()
    if (this.#config.autoCommit !== false) await commitOffsetsIfNecessary()
    return !this.#services.isPaused(batch.topic, batch.partition)
  }

  #stops(error: SealError): boolean {
    return actionFor(this.#services.policies, error) === 'stop'
  }

  async #passOver(error: SealError, entry: Entry): Promise<void> {
    if (this.#stops(error)) throw final(error)
    const { topic, partition } = this.#payload.batch
    const record = recordOf(entry)
    const keeping = this.#services.deadLetter({ error, topic, partition, record })
    await beating(keeping, this.#payload.heartbeat, this.#services.clock)
  }

  #isOver(): boolean {
    return !this.#payload.isRunning() || this.#payload.isStale()
  }

  /** Awaits `work`, heart beating; gives it up when the consumer stops or is sent elsewhere meanwhile. */
  async #beating<T>(work: Promise<T>): Promise<T | typeof INTERRUPTED> {
    const beat = async () => {
      if (this.#isOver()) throw INTERRUPTED
      await this.#payload.heartbeat()
    }
    try {
      return await beating(work, beat, this.#services.clock)
    } catch (error) {
      if (error === INTERRUPTED || this.#services.signal.aborted) return INTERRUPTED
      throw error
    }
  }
}

/** Has the last message resolve another offset. */
function retarget(messages: SealedMessage[], offset: string): void {
  const last = messages.pop() as SealedMessage
  messages.push({ ...last, offset })
}

/** The error in the form by which kafkajs knows that trying again is of no use. */
function final(error: SealError): SealError {
  return Object.assign(error, { retriable: false })
}
