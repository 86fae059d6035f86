import type { IHeaders, KafkaMessage, Producer } from 'kafkajs'
import type { SealError } from '../../errors.ts'

/** A reference that did not open and is passed over. */
export interface DeadLetter {
  readonly error: SealError
  /** The reference topic, not the source. */
  readonly topic: string
  readonly partition: number
  /** The record as Kafka gave it: a reference, in the clear, with nothing of the message in it. */
  readonly record: KafkaMessage
}

/**
 * Keeps a dead letter. The reader goes on when it resolves; when it rejects, the message counts as not
 * handed over and comes again, so a letter may be kept twice.
 */
export type DeadLetterSink = (letter: DeadLetter) => Promise<void>

/**
 * Keeps dead letters in a topic: the reference as it was, and what was wrong with it in headers
 * (`sealstream-error-kind`, `-error-code`, `-error-message`, `-topic`, `-partition`, `-offset`). Such a
 * record can be opened later as any reference. The producer is the caller's to connect and to close.
 */
export function deadLetterTopic(producer: Pick<Producer, 'send'>, topic: string): DeadLetterSink {
  return async ({ error, record, ...place }) => {
    const headers: IHeaders = {
      ...record.headers,
      'sealstream-error-kind': error.kind,
      'sealstream-error-code': error.code,
      'sealstream-error-message': error.message,
      'sealstream-topic': place.topic,
      'sealstream-partition': String(place.partition),
      'sealstream-offset': String(record.offset),
    }
    await producer.send({
      topic,
      acks: -1,
      messages: [{ key: record.key, value: record.value, headers }],
    })
  }
}
