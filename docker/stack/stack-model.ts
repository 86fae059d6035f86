/** The parts of the stack, in the order in which they are shown. */
export const PART_NAMES = ['kafka', 'cassandra', 's3', 'kms'] as const

/** One real service of the stack. */
export type PartName = (typeof PART_NAMES)[number]

/** Every TCP port the stack listens on, all on 127.0.0.1. */
export interface StackPorts {
  readonly s3: number
  readonly kms: number
  readonly kafka: number
  readonly kafkaController: number
  readonly cassandra: number
  readonly cassandraStorage: number
  readonly cassandraJmx: number
}

/** Where every part answers and with which credentials; also the content of `endpoints.json`. */
export interface StackEndpoints {
  readonly kafka: { readonly brokers: readonly string[] }
  readonly cassandra: {
    /** `host:port` each. */
    readonly contactPoints: readonly string[]
    readonly localDatacenter: string
  }
  readonly s3: {
    readonly endpoint: string
    readonly region: string
    readonly bucket: string
    readonly accessKeyId: string
    readonly secretAccessKey: string
  }
  readonly kms: {
    readonly endpoint: string
    readonly region: string
    readonly keyId: string
    readonly accessKeyId: string
    readonly secretAccessKey: string
  }
  /** The process id of every part, for CPU accounting and fault tests. */
  readonly processes: Readonly<Record<PartName, number>>
  /** The absolute directory of logs, data and state. */
  readonly directory: string
}

/** One step of work on one part, for progress lines. */
export interface StackEvent {
  readonly part: PartName
  readonly step: 'installing' | 'installed' | 'starting' | 'ready' | 'kept' | 'stopped'
  /** What is being fetched or where the part answers; one short line, may be empty. */
  readonly detail: string
  /** Since this part's work began. */
  readonly elapsedMs: number
}

/** Receives progress. Must not throw. */
export type StackReporter = (event: StackEvent) => void

/** How the stack looks from outside at one moment. */
export interface PartStatus {
  readonly part: PartName
  /** `silent` is a live process that does not answer a request (yet). */
  readonly state: 'up' | 'silent' | 'down'
  readonly pid: number | null
  readonly address: string
  readonly logPath: string
  readonly uptimeMs: number | null
  readonly rssBytes: number | null
}

/** What {@link PartStatus} says of all parts, with the endpoints of the last start. */
export interface StackStatus {
  readonly directory: string
  readonly up: boolean
  readonly parts: readonly PartStatus[]
  /** null when the stack was never started in this directory, or is stopped. */
  readonly endpoints: StackEndpoints | null
}
