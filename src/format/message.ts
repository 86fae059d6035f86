/** A header as Kafka holds it: the name's bytes, and a value that may be null. */
export type MessageHeader = readonly [name: Uint8Array, value: Uint8Array | null]

/** Who set the timestamp: the producer, or the broker when it appended the record. */
export type TimestampType = 'create' | 'append'

/** The part of a message that is secret, and so is sealed: everything but its coordinates. */
export interface MessageContent {
  /** null and empty are two different things, in Kafka and here. */
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** In their order, duplicates kept. */
  readonly headers: readonly MessageHeader[]
  /** Milliseconds since 1970 as an i64; Kafka lets producers write any value. */
  readonly timestampMs: bigint
  readonly timestampType: TimestampType
}

/** Where a message stands in Kafka. Not secret: references and mapping rows carry it. */
export interface MessageCoordinates {
  readonly topic: string
  readonly partition: number
  /** At most 2^53 - 1; the Kafka adapter refuses larger ones. */
  readonly offset: number
}

/** One Kafka record as read. */
export interface Message extends MessageCoordinates, MessageContent {}
