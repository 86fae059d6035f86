import type {
  Consumer,
  ConsumerConfig,
  ConsumerSubscribeTopics,
  EachBatchPayload,
  Kafka,
} from 'kafkajs'
import { systemClock } from '../../clock.ts'
import { SealError } from '../../errors.ts'
import type { ErrorPolicies, Retry } from '../../reader/error-policy.ts'
import type { SealedReader, SettleOptions } from '../../reader/sealed-reader.ts'
import type { DeadLetterSink } from './dead-letters.ts'
import { MessageHandOver } from './message-hand-over.ts'
import {
  type EachSealedMessagePayload,
  SealedBatchRun,
  type SealedRunConfig,
} from './sealed-batch-run.ts'

/** What a consumer of sealed messages is told. */
export interface SealedConsumerOptions {
  /** Opens the references; stays the caller's to close. */
  readonly reader: Pick<SealedReader, 'settleReferences'>
  /**
   * What becomes of messages that do not open, by the kind of the failure. By default the consumer waits
   * for keys and store that are away, and stops at everything else.
   */
  readonly policies?: ErrorPolicies
  /** Keeps what a policy skips; needed when one does. */
  readonly deadLetter?: DeadLetterSink
  /** Hears of every pause before another try. */
  readonly onRetry?: (retry: Retry) => void
  /** Bytes of messages that are opened ahead of the handler, over all partitions; 32 MiB. */
  readonly bytesAheadMax?: number
  /**
   * Which source partition the references of a partition are of; a reference to any other is refused as
   * `moved`. By default the topic without `.sealed` at its end, and the same partition.
   */
  readonly sourceOf?: (topic: string, partition: number) => NonNullable<SettleOptions['source']>
}

/** A consumer that is made from a client of kafkajs: read_committed, as references must be read. */
export interface ConsumerOfKafka extends Omit<ConsumerConfig, 'readUncommitted'> {
  readonly kafka: Pick<Kafka, 'consumer'>
}

const BYTES_AHEAD_MAX = 32 * 1024 * 1024
const SUFFIX = '.sealed'

/**
 * Consumes a reference topic as kafkajs consumes any topic, and hands over the messages as they were
 * produced. Group, offsets, commits, rebalances, pausing and seeking are those of the kafkajs consumer,
 * and speak of the reference topic.
 *
 * @example
 * const consumer = new SealedConsumer({ kafka, groupId: 'billing' }, { reader })
 * await consumer.connect()
 * await consumer.subscribe({ topics: ['orders.sealed'], fromBeginning: true })
 * await consumer.run({ eachMessage: async ({ message }) => handle(message.key, message.value) })
 */
export class SealedConsumer {
  /** For everything else that kafkajs' consumers do: seek, pause, events. */
  readonly consumer: Consumer
  readonly #options: SealedConsumerOptions
  readonly #stop = Promise.withResolvers<void>()
  #end = new AbortController()
  #failure: SealError | null = null

  /**
   * Takes a consumer that is not running yet, or a client to make one with. A consumer must read
   * committed records only, which is the default of kafkajs. Throws SEAL_INPUT_INVALID when a policy
   * skips and nothing keeps dead letters.
   */
  constructor(consumer: Consumer | ConsumerOfKafka, options: SealedConsumerOptions) {
    const skips = Object.values(options.policies ?? {}).some(
      (policy) => policy === 'skip' || (typeof policy === 'object' && policy.lastly === 'skip'),
    )
    if (skips && options.deadLetter === undefined) {
      throw new SealError(
        'SEAL_INPUT_INVALID',
        'a policy skips messages that do not open; say with deadLetter where they are kept',
      )
    }
    this.consumer = 'kafka' in consumer ? consumerOf(consumer) : consumer
    this.#options = options
    this.#stop.promise.catch(() => {})
  }

  /** See kafkajs. */
  connect(): Promise<void> {
    return this.consumer.connect()
  }

  /** See kafkajs; the topics are reference topics. */
  subscribe(subscription: ConsumerSubscribeTopics): Promise<void> {
    return this.consumer.subscribe(subscription)
  }

  /**
   * See kafkajs: resolves when the consumer is running. What it ends in is told by {@link SealedConsumer.ended}, and by
   * the event CRASH of the consumer. Throws SEAL_INPUT_INVALID without a handler.
   */
  async run(config: SealedRunConfig): Promise<void> {
    const { consumer } = this
    if (config.eachMessage === undefined && config.eachBatch === undefined) {
      throw new SealError('SEAL_INPUT_INVALID', 'say with eachMessage or eachBatch what to do')
    }
    if (this.#end.signal.aborted) this.#end = new AbortController()
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart) this.#stop.reject(this.#failure ?? payload.error)
    })
    const { eachMessage: _message, eachBatch: _batch, ...own } = config
    await consumer.run({
      ...own,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => this.#take(config, payload),
    })
  }

  /** Settles when the consumer is at its end: rejects with the SealError that it stopped at, or the crash. */
  get ended(): Promise<void> {
    return this.#stop.promise
  }

  /**
   * The messages of all partitions, one at a time. A message is done, and its offset resolved, when the
   * next one is asked for; the heart beats until then. Leaving the loop stops the consumer.
   *
   * @example
   * for await (const { message } of consumer.messages()) await handle(message)
   */
  async *messages(
    config: Omit<SealedRunConfig, 'eachMessage' | 'eachBatch'> = {},
  ): AsyncGenerator<EachSealedMessagePayload, void, undefined> {
    const handOver = new MessageHandOver<EachSealedMessagePayload>(systemClock)
    this.ended.then(
      () => handOver.end(),
      (error: unknown) => handOver.fail(error),
    )
    try {
      await this.run({
        ...config,
        eachMessage: (payload) => handOver.put(payload, payload.heartbeat),
      })
      for (;;) {
        const taken = await handOver.take()
        if (taken === null) return
        yield taken.item
        taken.done()
      }
    } finally {
      this.#abort()
      handOver.end()
      await this.stop()
    }
  }

  /** Stops consuming, as kafkajs does: the handler ends its message, nothing more is handed over. */
  async stop(): Promise<void> {
    this.#abort()
    await this.consumer.stop()
    this.#stop.resolve()
  }

  /** Stops, and leaves the group and Kafka. */
  async disconnect(): Promise<void> {
    this.#abort()
    await this.consumer.disconnect()
    this.#stop.resolve()
  }

  #abort(): void {
    this.#end.abort(new SealError('SEAL_STOPPED', 'the consumer is stopped'))
  }

  async #take(config: SealedRunConfig, payload: EachBatchPayload): Promise<void> {
    const { reader, policies = {}, bytesAheadMax = BYTES_AHEAD_MAX } = this.#options
    const {
      deadLetter = noDeadLetters,
      onRetry = () => {},
      sourceOf = sourceByName,
    } = this.#options
    const { topic, partition } = payload.batch
    const services = {
      ...{ reader, policies, deadLetter, onRetry, clock: systemClock, signal: this.#end.signal },
      bytesAheadMax: bytesAheadMax / (config.partitionsConsumedConcurrently ?? 1),
      isPaused: (...place: [string, number]) => this.#isPaused(...place),
    }
    try {
      const source = sourceOf(topic, partition)
      await new SealedBatchRun(services, config, payload, source).run()
    } catch (error) {
      if (error instanceof SealError && 'retriable' in error) this.#failure = error
      throw error
    }
  }

  #isPaused(topic: string, partition: number): boolean {
    const paused = this.consumer.paused()
    return paused.some((at) => at.topic === topic && at.partitions.includes(partition))
  }
}

function consumerOf({ kafka, ...config }: ConsumerOfKafka): Consumer {
  return kafka.consumer({ ...config, readUncommitted: false })
}

function sourceByName(topic: string, partition: number): NonNullable<SettleOptions['source']> {
  if (topic.endsWith(SUFFIX)) return { topic: topic.slice(0, -SUFFIX.length), partition }
  const message = `${topic} does not end in ${SUFFIX}; say with sourceOf whose references it holds`
  throw Object.assign(new SealError('SEAL_INPUT_INVALID', message), { retriable: false })
}

/** Reached by no policy: one that skips is refused without a sink. */
async function noDeadLetters(): Promise<never> {
  throw new SealError('SEAL_INPUT_INVALID', 'there is no place for dead letters')
}
