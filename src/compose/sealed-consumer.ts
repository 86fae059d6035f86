/** The consumer of sealed messages, for the public surface: it takes a client of kafkajs and loads none. */
export {
  type DeadLetter,
  type DeadLetterSink,
  deadLetterTopic,
} from '../adapters/kafka/dead-letters.ts'
export type {
  EachSealedBatchPayload,
  EachSealedMessagePayload,
  SealedRunConfig,
} from '../adapters/kafka/sealed-batch-run.ts'
export {
  type ConsumerOfKafka,
  SealedConsumer,
  type SealedConsumerOptions,
} from '../adapters/kafka/sealed-consumer.ts'
export type {
  SealedBatch,
  SealedMessage,
  SourcePlace,
} from '../adapters/kafka/sealed-messages.ts'
