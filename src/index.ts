/**
 * The public surface of sealstream: open references, and consume them as the messages that they stand
 * for. The encryptor itself is run by its CLI. Nothing here needs Kafka or Cassandra to be loaded; the
 * client of a KMS is loaded with the first key that is asked for.
 */
export { createReader, type ReaderKms, type ReaderOptions } from './compose/reader.ts'
export * from './compose/sealed-consumer.ts'
export { ERROR_CODES, type ErrorCode, type ErrorKind, isSealError, SealError } from './errors.ts'
export type {
  Message,
  MessageContent,
  MessageCoordinates,
  MessageHeader,
  TimestampType,
} from './format/message.ts'
export { parseReferences } from './format/reference-list.ts'
export { parseReference, type Reference } from './format/reference-value.ts'
export type { ErrorPolicies, ErrorPolicy, FailureAction, Retry } from './reader/error-policy.ts'
export type { OpenManyOptions } from './reader/open-many.ts'
export type { Outcome, ReadBounds } from './reader/range-opener.ts'
export type {
  OpenOptions,
  ReferenceValue,
  SealedReader,
  SettleOptions,
} from './reader/sealed-reader.ts'
