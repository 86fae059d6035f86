import type { CassandraOptions } from '../adapters/cassandra/connection.ts'
import type { KafkaOptions } from '../adapters/kafka/kafka-client.ts'
import type { RecordLogOptions } from '../adapters/kafka/kafka-record-log.ts'
import type { S3Options } from '../adapters/s3/s3-client.ts'
import type { Config } from '../config/schema.ts'
import { SealError } from '../errors.ts'
import type { DomainRule } from '../keys/key-domain.ts'
import type { KmsChoice } from './kms.ts'

/** The S3 part of the configuration, as its adapter takes it. Plain data: it goes to workers too. */
export function s3OptionsOf({ s3 }: Config): S3Options {
  const { endpoint, region, bucket, forcePathStyle, accessKeyId, secretAccessKey } = s3
  const { requestTimeoutMs } = s3
  return {
    endpoint,
    region,
    bucket,
    forcePathStyle,
    accessKeyId,
    secretAccessKey,
    requestTimeoutMs,
  }
}

/** The KMS of the configuration: its provider, and how that one is reached. */
export function kmsChoiceOf({ kms }: Config): KmsChoice {
  const { provider, requestTimeoutMs, aws, vault, gcp, azure, pkcs11, local } = kms
  if (provider === 'aws') return { provider, ...aws, requestTimeoutMs }
  if (provider === 'vault' && vault !== undefined) return { provider, ...vault, requestTimeoutMs }
  if (provider === 'gcp' && gcp !== undefined) return { provider, ...gcp, requestTimeoutMs }
  if (provider === 'azure' && azure !== undefined) return { provider, ...azure, requestTimeoutMs }
  if (provider === 'pkcs11' && pkcs11 !== undefined) {
    return { provider, ...pkcs11, requestTimeoutMs }
  }
  if (provider === 'local' && local !== undefined) return { provider, ...local, requestTimeoutMs }
  throw new SealError('SEAL_CONFIG_INVALID', `kms.${provider}: is required beside provider`)
}

/** Full or bare ids of the KEKs whose data keys may be unwrapped: those sealed with, and those allowed beside. */
export function allowedKekIdsOf({ kms, keyDomain }: Config): readonly string[] {
  return [kms.keyId, ...domainKeksOf(keyDomain).values(), ...kms.allowedKeyIds]
}

/** What makes messages share DEKs. */
export function domainRuleOf({ keyDomain }: Config): DomainRule {
  const { by, header, fallback } = keyDomain
  if (by === 'topic' || header === undefined) return { by: 'topic' }
  return { by, header, fallback: fallback ?? null }
}

/** The KEKs of domains that have their own, by domain. */
export function domainKeksOf({ keks }: Config['keyDomain']): ReadonlyMap<string, string> {
  return new Map(
    keks.map((entry) => {
      const at = entry.indexOf('=')
      return [entry.slice(0, at), entry.slice(at + 1)]
    }),
  )
}

/** The Cassandra part of the configuration, as its adapter takes it. Plain data as well. */
export function cassandraOptionsOf({ cassandra }: Config): CassandraOptions {
  const { contactPoints, localDatacenter, keyspace, username, password, requestTimeoutMs } =
    cassandra
  const { enabled, caFile } = cassandra.tls
  return {
    contactPoints: [...contactPoints],
    localDatacenter,
    keyspace,
    requestTimeoutMs,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(enabled ? { tls: caFile === undefined ? {} : { caFile } } : {}),
  }
}

/** The Kafka part of the configuration, as every Kafka adapter takes it. */
export function kafkaOptionsOf(
  { kafka }: Config,
  onLog?: (level: string, message: string) => void,
): KafkaOptions {
  const { brokers, clientId, requestTimeoutMs, sasl } = kafka
  const { enabled, ...tls } = kafka.tls
  return {
    brokers,
    clientId,
    requestTimeoutMs,
    tls: enabled ? tls : undefined,
    sasl,
    ...(onLog === undefined ? {} : { onLog }),
  }
}

/** An encryptor that was asleep has its transaction ended by the broker, which is not punctual. */
const OPEN_TRANSACTION_MARGIN_MS = 10_000

/** How records are read beside the encryptors: open transactions are waited for until the broker ends them. */
export function recordLogOptionsOf(config: Config): RecordLogOptions {
  const { groupId, transactionTimeoutMs } = config.kafka
  const openTransactionMsMax = transactionTimeoutMs + OPEN_TRANSACTION_MARGIN_MS
  return { ...kafkaOptionsOf(config), groupId, openTransactionMsMax }
}
