import type { KafkaAdmin } from '../adapters/kafka/kafka-admin.ts'
import {
  KafkaReferenceSink,
  type KafkaSinkOptions,
} from '../adapters/kafka/kafka-reference-sink.ts'
import type { Config } from '../config/schema.ts'
import { SealError } from '../errors.ts'
import type { ReferenceSink } from '../pipeline/reference-sink.ts'

/**
 * Source topics must be there. The topics that sealstream itself writes are created and grown to
 * match: a reference goes to the partition of the same number, so there must be as many.
 */
export async function prepareTopics(config: Config, admin: KafkaAdmin): Promise<void> {
  const { topics, createTopics, replicationFactor, referenceTopicSuffix } = config.kafka
  const sources = await admin.requireTopics(topics)
  const suffixes = [referenceTopicSuffix]
  if (config.message.onUnsealable === 'quarantine') {
    suffixes.push(config.kafka.quarantineTopicSuffix)
  }
  const outputs = suffixes.flatMap((suffix) =>
    [...sources].map(([topic, partitions]) => ({ topic: topic + suffix, partitions })),
  )
  const names = outputs.map(({ topic }) => topic)
  const existing = createTopics
    ? await admin.partitionCounts(names)
    : await admin.requireTopics(names)
  for (const { topic, partitions } of outputs) {
    const count = existing.get(topic)
    if (count !== undefined && count >= partitions) continue
    if (!createTopics) throw tooFewPartitions(topic, count ?? 0, partitions)
    if (count === undefined) await admin.createTopic(topic, partitions, replicationFactor)
    else await admin.growTopic(topic, partitions)
  }
}

/** A source that gained partitions has its lanes opened anew, and outputs must have as many by then. */
export function growingSink(
  config: Config,
  admin: KafkaAdmin,
  options: KafkaSinkOptions,
): ReferenceSink {
  const sink = new KafkaReferenceSink(options)
  // Lanes open side by side as a rule, and one look serves them all.
  let looking: Promise<void> | null = null
  return {
    async openLane(lane) {
      looking ??= prepareTopics(config, admin).finally(() => {
        looking = null
      })
      await looking
      return sink.openLane(lane)
    },
  }
}

function tooFewPartitions(topic: string, count: number, needed: number): SealError {
  return new SealError(
    'SEAL_KAFKA_REFUSED',
    `topic ${topic} has ${count} partitions, its source has ${needed}; add partitions to it, or set kafka.createTopics`,
  )
}
