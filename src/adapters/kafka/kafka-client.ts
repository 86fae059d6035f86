import { readFileSync } from 'node:fs'
import type { Kafka, KafkaConfig, LogEntry, SASLOptions } from 'kafkajs'
import { messageOf, SealError } from '../../errors.ts'
import { steadySockets } from './connection-bytes.ts'
import { loadKafkajs } from './load-kafkajs.ts'

/** PEM files; without any, the machine's own authorities are trusted. */
export interface TlsFiles {
  readonly caFile?: string | undefined
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
}

/** Who connects. */
export interface SaslCredentials {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly username: string
  readonly password: string
}

/** How the brokers are reached. Without `tls` the connections are in the clear. */
export interface KafkaOptions {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly requestTimeoutMs: number
  readonly tls?: TlsFiles | undefined
  readonly sasl?: SaslCredentials | undefined
  /** Hears what the client library would have printed; `level` is error, warn, info or debug. */
  readonly onLog?: (level: string, message: string) => void
}

/** Bounded, so that an unreachable broker shows after about ten seconds and not after minutes. */
const RETRY = { retries: 5, initialRetryTime: 200, maxRetryTime: 4_000 } as const
const CONNECTION_TIMEOUT_MS = 5_000
const LEVEL_NAMES: Readonly<Record<number, string>> = {
  1: 'error',
  2: 'warn',
  4: 'info',
  5: 'debug',
}

/** A client of the named library with our decoder in it. Nothing is connected yet. */
export function createKafka(options: KafkaOptions): Kafka {
  const kafkajs = loadKafkajs()
  const { onLog } = options
  const config: KafkaConfig = {
    clientId: options.clientId,
    brokers: [...options.brokers],
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: options.requestTimeoutMs,
    retry: RETRY,
    logLevel: onLog === undefined ? kafkajs.logLevel.NOTHING : kafkajs.logLevel.WARN,
    logCreator: () => (entry: LogEntry) =>
      onLog?.(LEVEL_NAMES[entry.level] ?? 'info', logLine(entry)),
  }
  if (options.tls === undefined) config.socketFactory = steadySockets
  else config.ssl = tlsOf(options.tls)
  if (options.sasl !== undefined) config.sasl = { ...options.sasl } as SASLOptions
  return new kafkajs.Kafka(config)
}

function tlsOf({ caFile, certFile, keyFile }: TlsFiles) {
  return {
    ...(caFile === undefined ? {} : { ca: [pemOf('caFile', caFile)] }),
    ...(certFile === undefined ? {} : { cert: pemOf('certFile', certFile) }),
    ...(keyFile === undefined ? {} : { key: pemOf('keyFile', keyFile) }),
  }
}

function pemOf(key: keyof TlsFiles, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const message = `kafka.tls.${key} "${path}" cannot be read (${messageOf(error)})`
    throw new SealError('SEAL_CONFIG_INVALID', message, { cause: error })
  }
}

/** Message and error of an entry; its other fields hold stacks and are left out. */
function logLine(entry: LogEntry): string {
  const error = entry.log.error
  return typeof error === 'string' ? `${entry.log.message}: ${error}` : entry.log.message
}
