import { type FeedStart, feedReferences } from '../adapters/kafka/kafka-reference-feed.ts'
import type { Config } from '../config/schema.ts'
import type { SealedReader } from '../reader/sealed-reader.ts'
import { createReader } from './reader.ts'
import { allowedKekIdsOf, kafkaOptionsOf, kmsChoiceOf, s3OptionsOf } from './service-options.ts'

/** Which references of a topic are read. */
export interface ReferenceSelection {
  /** The source topic, or its reference topic. */
  readonly topic: string
  readonly from: FeedStart
  /** Goes on with new references instead of ending with the last one there is. */
  readonly follow: boolean
  readonly signal: AbortSignal
}

/** A reader with the buckets and keys of a configuration. Close it when done. */
export function composeReader(config: Config): SealedReader {
  return createReader({
    s3: { ...s3OptionsOf(config), prefix: config.s3.prefix },
    kms: { ...kmsChoiceOf(config), allowedKeyIds: allowedKekIdsOf(config) },
    keyCache: {
      entriesMax: config.reader.keyCacheEntriesMax,
      ttlMs: config.reader.keyCacheTtlMs,
    },
  })
}

/** Hands the reference values of a topic to `onValues`, partition by partition in order. */
export function readReferences(
  config: Config,
  selection: ReferenceSelection,
  onValues: (values: readonly Buffer[]) => Promise<void>,
): Promise<void> {
  const suffix = config.kafka.referenceTopicSuffix
  const topic = selection.topic.endsWith(suffix) ? selection.topic : selection.topic + suffix
  return feedReferences({ ...kafkaOptionsOf(config), ...selection, topic }, onValues)
}
