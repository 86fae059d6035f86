/**
 * The public surface of sealstream: open references. The encryptor itself is run by its CLI.
 */
export { createReader, type ReaderOptions } from './compose/reader.ts'
export { ERROR_CODES, type ErrorCode, isSealError, SealError } from './errors.ts'
export type {
  Message,
  MessageContent,
  MessageCoordinates,
  MessageHeader,
  TimestampType,
} from './format/message.ts'
export { parseReference, type Reference } from './format/reference-value.ts'
export type { SealedReader } from './reader/sealed-reader.ts'
