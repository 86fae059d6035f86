import { randomBytes } from 'node:crypto'
import {
  AlgorithmSuiteIdentifier,
  buildClient,
  CommitmentPolicy,
  getLocalCryptographicMaterialsCache,
  NodeCachingMaterialsManager,
  RawAesKeyringNode,
  RawAesWrappingSuiteIdentifier,
} from '@aws-crypto/client-node'
import { Kafka, logLevel } from 'kafkajs'
import { ArmCounter, armOrder } from './arm-program.ts'

const MIB = 1024 * 1024
const HOUR_MS = 3_600_000

/** Reads a topic batch by batch, encrypts each message with the AWS Encryption SDK, and produces it again. */
const { arm, stack, topic, outputTopic } = armOrder()
const count = new ArmCounter()
const { encrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
const materials = new NodeCachingMaterialsManager({
  backingMaterials: new RawAesKeyringNode({
    ...{ keyName: 'bench', keyNamespace: 'bench' },
    // The keyring wants the key in memory that it shares with nothing.
    unencryptedMasterKey: Uint8Array.from(randomBytes(32)),
    wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  }),
  ...{ cache: getLocalCryptographicMaterialsCache(100), maxAge: HOUR_MS },
})
const options = {
  encryptionContext: { topic },
  suiteId: AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY,
}
const kafka = new Kafka({
  ...{ clientId: 'bench', brokers: [...stack.kafka.brokers], logLevel: logLevel.NOTHING },
})
const producer = kafka.producer()
await producer.connect()
const consumer = kafka.consumer({
  ...{ groupId: `bench-${arm.replaceAll(/\W/g, '-')}`, maxBytesPerPartition: MIB },
})
await consumer.connect()
await consumer.subscribe({ topics: [topic], fromBeginning: true })
await consumer.run({
  eachBatch: async ({ batch, heartbeat }) => {
    const messages = []
    for (const { key, value } of batch.messages) {
      const { result } = await encrypt(materials, value ?? Buffer.alloc(0), options)
      messages.push({ partition: batch.partition, key, value: result })
    }
    await producer.send({ topic: outputTopic, messages })
    await heartbeat()
    count.add(batch.messages.length)
  },
})
