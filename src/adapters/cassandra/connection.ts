import { readFile } from 'node:fs/promises'
import { Client, type DseClientOptions, type Host, policies, types } from 'cassandra-driver'
import { messageOf, SealError } from '../../errors.ts'
import { type CassandraPlace, mappingFailure } from './failures.ts'
import { InFlight } from './in-flight.ts'

/** How to reach Cassandra. */
export interface CassandraOptions {
  /** `host` or `host:port`; the port is 9042 where none is given. */
  readonly contactPoints: readonly string[]
  readonly localDatacenter: string
  readonly keyspace: string
  readonly username?: string
  readonly password?: string
  /** How long one node may take over one request. */
  readonly requestTimeoutMs: number
  /** Given, connections are TLS and the certificate must be valid for the address of the node. */
  readonly tls?: { readonly caFile?: string }
}

/** A value bound to a `?` of a statement. */
export type CqlValue =
  | string
  | number
  | boolean
  | Buffer
  | Date
  | readonly Buffer[]
  | readonly string[]
  | readonly number[]
  | null

/** One statement of a batch. */
export interface CqlStatement {
  readonly query: string
  readonly params: readonly CqlValue[]
}

const CONNECT_MS_MAX = 9_000
const CONNECT_MS_PER_POINT_MAX = 5_000
const HEARTBEAT_MS = 5_000
const RECONNECT_MS_MIN = 250
const RECONNECT_MS_MAX = 5_000
const PORT_DEFAULT = 9042
const PAGE_ROWS = 5_000

/** Enough to keep a node busy with batches of rows; more only lengthens its queue. */
const REQUESTS_IN_FLIGHT_MAX = 8

/**
 * A session with Cassandra: LOCAL_QUORUM both ways, prepared, idempotent, a bounded number of
 * requests in flight. Errors: SEAL_MAPPING_UNAVAILABLE (retryable), SEAL_MAPPING_REFUSED.
 */
export class CassandraConnection {
  readonly #client: Client
  readonly #place: CassandraPlace
  readonly #inFlight = new InFlight(REQUESTS_IN_FLIGHT_MAX)

  constructor(client: Client, place: CassandraPlace) {
    this.#client = client
    this.#place = place
  }

  /** Runs one prepared statement. */
  execute(query: string, params: readonly CqlValue[]): Promise<types.ResultSet> {
    // The driver does not change the parameters; its types only fail to say so.
    return this.#run(() => this.#client.execute(query, params as CqlValue[], { prepare: true }))
  }

  /** Runs statements in one request; those of one partition as one mutation, others each by itself. */
  async batch(statements: readonly CqlStatement[]): Promise<void> {
    const queries = statements as { query: string; params: CqlValue[] }[]
    await this.#run(() => this.#client.batch(queries, { prepare: true, logged: false }))
  }

  /** The rows of a query, fetched by the page as they are asked for. */
  async *rows(query: string, params: readonly CqlValue[]): AsyncGenerator<types.Row> {
    for await (const page of this.pages(query, params)) yield* page
  }

  /** The same by the page; `pageRows` is for rows that are large. */
  async *pages(
    query: string,
    params: readonly CqlValue[],
    pageRows = PAGE_ROWS,
  ): AsyncGenerator<readonly types.Row[]> {
    let pageState: string | undefined
    do {
      const page = await this.#run(() =>
        this.#client.execute(query, params as CqlValue[], {
          prepare: true,
          fetchSize: pageRows,
          ...(pageState === undefined ? {} : { pageState }),
        }),
      )
      yield page.rows
      pageState = page.pageState ?? undefined
    } while (pageState !== undefined)
  }

  /** Runs a statement that changes the schema, and waits until every node has taken it over. */
  async define(statement: string): Promise<void> {
    const host = this.#schemaHost()
    const result = await this.#run(() =>
      this.#client.execute(statement, [], { prepare: false, ...(host ? { host } : {}) }),
    )
    // The driver waits for agreement, but resolves without it; its types leave the field out.
    if ((result.info as { isSchemaInAgreement?: boolean }).isSchemaInAgreement) return
    const where = this.#place.endpoints.join(', ')
    const message = `the nodes of Cassandra at ${where} do not agree on the schema; see that all of them are up, then try again`
    throw new SealError('SEAL_MAPPING_UNAVAILABLE', message, { retryable: true })
  }

  /** Ends every connection; requests under way fail. */
  async close(): Promise<void> {
    await this.#client.shutdown()
  }

  /**
   * Two nodes that create one table at the same moment give it two ids, and IF NOT EXISTS does not
   * help. So every process sends its schema changes to the same node, which takes them in turn.
   */
  #schemaHost(): Host | undefined {
    return this.#client.hosts
      .values()
      .filter((host) => host.isUp() && host.datacenter === this.#place.localDatacenter)
      .sort((a, b) => (a.address < b.address ? -1 : 1))[0]
  }

  async #run<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await this.#inFlight.run(request)
    } catch (error) {
      throw mappingFailure(error, this.#place)
    }
  }
}

/**
 * Connects, within about 10 s. Errors: SEAL_MAPPING_UNAVAILABLE, SEAL_MAPPING_REFUSED (credentials,
 * keyspace, datacenter), SEAL_CONFIG_INVALID (the CA file cannot be read).
 */
export function connectCassandra(options: CassandraOptions): Promise<CassandraConnection> {
  return connect(options, { keyspace: options.keyspace })
}

/** As {@link connectCassandra}, but bound to no keyspace: what can run before there is one. */
export function connectWithoutKeyspace(options: CassandraOptions): Promise<CassandraConnection> {
  return connect(options, {})
}

async function connect(
  options: CassandraOptions,
  bound: { keyspace?: string },
): Promise<CassandraConnection> {
  const place = placeOf(options)
  const client = new Client({ ...(await clientOptions(options)), ...bound })
  const deadline = Promise.withResolvers<never>()
  const late = new Error(`no connection within ${CONNECT_MS_MAX} ms`)
  const timer = setTimeout(() => deadline.reject(late), CONNECT_MS_MAX)
  try {
    await Promise.race([client.connect(), deadline.promise])
    return new CassandraConnection(client, place)
  } catch (error) {
    // Not awaited: while it still connects, the driver lets shutdown wait for that to end.
    client.shutdown().catch(() => {})
    throw mappingFailure(error, place)
  } finally {
    clearTimeout(timer)
  }
}

function placeOf(options: CassandraOptions): CassandraPlace {
  const { localDatacenter, keyspace } = options
  const endpoints = options.contactPoints.map((point) =>
    /:\d+$/.test(point) ? point : `${point}:${PORT_DEFAULT}`,
  )
  return { endpoints, localDatacenter, keyspace }
}

async function clientOptions(options: CassandraOptions): Promise<DseClientOptions> {
  const { username, password } = options
  const share = Math.floor(CONNECT_MS_MAX / Math.max(1, options.contactPoints.length))
  return {
    contactPoints: [...options.contactPoints],
    localDataCenter: options.localDatacenter,
    ...(username === undefined ? {} : { credentials: { username, password: password ?? '' } }),
    ...(options.tls ? { sslOptions: await tlsOptions(options.tls) } : {}),
    queryOptions: { consistency: types.consistencies.localQuorum, isIdempotent: true },
    socketOptions: {
      // Points are tried one after the other, so together they must fit the deadline.
      connectTimeout: Math.min(CONNECT_MS_PER_POINT_MAX, share),
      readTimeout: options.requestTimeoutMs,
    },
    // The driver's own default waits up to ten minutes after a node is back.
    policies: {
      reconnection: new policies.reconnection.ExponentialReconnectionPolicy(
        RECONNECT_MS_MIN,
        RECONNECT_MS_MAX,
      ),
    },
    // Also how long the driver keeps a process alive over a connection that it has given up.
    pooling: { heartBeatInterval: HEARTBEAT_MS },
    monitorReporting: { enabled: false },
  }
}

async function tlsOptions(tls: { readonly caFile?: string }) {
  // The driver's own default is to take any certificate.
  const checked = { rejectUnauthorized: true }
  if (tls.caFile === undefined) return checked
  try {
    return { ...checked, ca: await readFile(tls.caFile) }
  } catch (error) {
    const message = `cassandra.tls.caFile "${tls.caFile}" cannot be read (${messageOf(error)})`
    throw new SealError('SEAL_CONFIG_INVALID', message, { cause: error })
  }
}
