import { randomUUID } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { PassThrough } from 'node:stream'
import { GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { Client } from 'cassandra-driver'
import { Kafka, logLevel } from 'kafkajs'
import { Piscina } from 'piscina'
import { ArmCounter, armOrder } from '../arm-program.ts'

const OBJECT_BYTES = 32 * 1024 * 1024
const KEYSPACE = 'textbook'
const CREATE_KEYSPACE = `CREATE KEYSPACE IF NOT EXISTS ${KEYSPACE} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`
const CREATE_TABLE = `CREATE TABLE IF NOT EXISTS ${KEYSPACE}.messages (dek_id text, topic text, partition int, offset bigint, object text, position bigint, length int, PRIMARY KEY (dek_id, topic, partition, offset))`
const INSERT = `INSERT INTO ${KEYSPACE}.messages (dek_id, topic, partition, offset, object, position, length) VALUES (?, ?, ?, ?, ?, ?, ?)`

/**
 * The road as the documentation of each library suggests: eachMessage, a task of the thread pool a
 * message, an insert a message, a reference a message, and a stream into lib-storage.
 */
const { stack, topic, outputTopic, partitions } = armOrder()
const count = new ArmCounter()
const threads = availableParallelism()
// As many threads at all times: by default Piscina ends and starts some with every lull.
const pool = new Piscina({
  filename: new URL('./seal-task.ts', import.meta.url).href,
  ...{ minThreads: threads, maxThreads: threads },
})
const { contactPoints, localDatacenter } = stack.cassandra
const cassandra = new Client({
  contactPoints: [...contactPoints],
  localDataCenter: localDatacenter,
})
await cassandra.execute(CREATE_KEYSPACE)
await cassandra.execute(CREATE_TABLE)
const s3 = new S3Client({
  ...{ endpoint: stack.s3.endpoint, region: stack.s3.region, forcePathStyle: true },
  credentials: stack.s3,
})
const { endpoint, region, keyId } = stack.kms
const kms = new KMSClient({ endpoint, region, credentials: stack.kms })
const { Plaintext: key = new Uint8Array(32) } = await kms.send(
  new GenerateDataKeyCommand({ KeyId: keyId, KeySpec: 'AES_256' }),
)
const dekId = randomUUID()

interface OpenObject {
  readonly name: string
  readonly stream: PassThrough
  readonly upload: Promise<unknown>
  position: number
}

function openObject(): OpenObject {
  const [name, stream] = [`textbook/${randomUUID()}`, new PassThrough()]
  const params = { Bucket: stack.s3.bucket, Key: name, Body: stream }
  return { name, stream, upload: new Upload({ client: s3, params }).done(), position: 0 }
}

let object = openObject()

function store(sealed: Uint8Array): { name: string; position: number } {
  const { name, position } = object
  object.stream.write(sealed)
  object.position += sealed.length
  if (object.position >= OBJECT_BYTES) {
    object.stream.end()
    object = openObject()
  }
  return { name, position }
}

const kafka = new Kafka({
  ...{ clientId: 'bench', brokers: [...stack.kafka.brokers], logLevel: logLevel.NOTHING },
})
const producer = kafka.producer()
await producer.connect()
const consumer = kafka.consumer({ groupId: 'bench-textbook' })
await consumer.connect()
await consumer.subscribe({ topics: [topic], fromBeginning: true })
await consumer.run({
  partitionsConsumedConcurrently: partitions,
  eachMessage: async ({ partition, message: { offset, value } }) => {
    const aad = `${topic}/${partition}/${offset}`
    // A copy: of a view the thread pool would clone all that was fetched, a thousand times the work.
    const plain = Uint8Array.from(value ?? [])
    const sealed: Uint8Array = await pool.run({ key, value: plain, aad })
    const { name, position } = store(sealed)
    const row = [dekId, topic, partition, offset, name, position, sealed.length]
    await cassandra.execute(INSERT, row, { prepare: true })
    const reference = { object: name, topic, partition, offset, position, length: sealed.length }
    const record = { partition, value: JSON.stringify(reference) }
    await producer.send({ topic: outputTopic, messages: [record] })
    count.add(1)
  },
})
