import { afterAll, beforeAll } from 'vitest'
import { KafkaFixture } from './kafka-fixture.ts'
import { SealingPlace } from './sealing-place.ts'

/** Kafka, and the places of one test file. */
export interface SealingScene {
  /** Only from the first test on. */
  readonly kafka: KafkaFixture
  /** A place whose topic has so many partitions. Those of a file share their tables. */
  newPlace(name: string, partitions: number): Promise<SealingPlace>
}

/** Connects before the tests of the file, and takes everything away afterwards. */
export function sealingScene(): SealingScene {
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
    async newPlace(name, partitions) {
      const place = new SealingPlace(name, 1, places[0]?.keyspace)
      places.push(place)
      await kafka.createTopic(place.topic, partitions)
      return place
    },
  }
}
