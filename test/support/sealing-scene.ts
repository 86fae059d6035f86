import { afterAll, beforeAll } from 'vitest'
import { KafkaFixture } from './kafka-fixture.ts'
import { SealingPlace } from './sealing-place.ts'

/** Kafka, and the places of one test file. */
export interface SealingScene {
  /** Only from the first test on. */
  readonly kafka: KafkaFixture
  /** A place whose topic has so many partitions. */
  newPlace(
    name: string,
    partitions: number,
    topicSettings?: Readonly<Record<string, string>>,
  ): Promise<SealingPlace>
}

/**
 * Connects before the tests of the file, and takes everything away afterwards. The places of a file
 * share their tables, unless a test looks at all that these hold.
 */
export function sealingScene({ areTablesShared = true } = {}): SealingScene {
  const places: SealingPlace[] = []
  let kafka: KafkaFixture
  beforeAll(async () => {
    kafka = await KafkaFixture.connect()
  })
  afterAll(async () => {
    await kafka.close()
    for (const place of places) place.remove()
  })
  return {
    get kafka() {
      return kafka
    },
    async newPlace(name, partitions, topicSettings) {
      const keyspace = areTablesShared ? places[0]?.keyspace : undefined
      const place = new SealingPlace(name, 1, keyspace)
      places.push(place)
      await kafka.createTopic(place.topic, partitions, topicSettings)
      return place
    },
  }
}
