/** Gives the events of one family to another: names that the engine made of their ids follow, all else stays. */
import type { AnyEventObject } from 'xstate'
import { v7 as uuidv7 } from 'uuid'
import type { NewEvent, RecordedEvent } from '../../../eventstore/event.ts'
import {
  CHILD_FIELD,
  MIGRATION_FIELD,
  eventOf,
  payloadOf,
  READS_FIELD,
  REFS_FIELD,
  TIMER_FIELD,
} from '../fold/canonical.ts'
import type { CellState, ParentLink } from '../fold/cell-state.ts'
import { isSupervision } from '../fold/fold-supervision.ts'
import type { Migration } from '../fold/fold.ts'
import { BIRTH } from '../delivery/mail.ts'

/** The engine's events that have a child's id in their type. */
const ABOUT_A_CHILD = /^(xstate\.(?:done\.actor|error\.actor|snapshot)\.)([^]*)$/

export class ForkNames {
  /** The addresses of the actors of the family, the old to the new. */
  readonly #addresses: Map<string, string>
  readonly #ids = new Map<string, string>()

  constructor(from: string, to: string) {
    this.#addresses = new Map([[from, to]])
  }

  /** Learns what the children are called that both folds of one event have. */
  learn(original: CellState, renamed: CellState): void {
    const twins = renamed.children.values()
    for (const { durable, address } of original.children.values()) {
      const twin = twins.next().value
      if (durable && twin !== undefined) this.#addresses.set(address, twin.address)
    }
  }

  /** A name that the engine made of an actor's address: the address itself, `<address>:<version>:<n>`, `<address>:<n>`. */
  own(name: string): string {
    for (let end = name.length; end > 0; end = name.lastIndexOf(':', end - 1)) {
      const renamed = this.#addresses.get(name.slice(0, end))
      if (renamed !== undefined) return `${renamed}${name.slice(end)}`
    }
    return name
  }

  isMember(address: string): boolean {
    return this.#addresses.has(address)
  }

  /** Whether the event is one of those that were given. */
  has(eventId: string): boolean {
    return this.#ids.has(eventId)
  }

  /** The new id of an event that was given. */
  eventId(old: string): string {
    return this.#ids.get(old) ?? old
  }

  event(record: RecordedEvent): NewEvent {
    const { stream_id: _stream, version: _version, position: _position, hash: _hash, ...kept } = record
    const event_id = uuidv7()
    this.#ids.set(record.event_id, event_id)
    const { type, ...payload } = this.#input(eventOf(record))
    return {
      ...kept,
      event_id,
      event_type: type,
      payload: payloadOf({ type, ...payload }),
      source_agent: this.#source(record.source_agent),
      correlation_id: this.#addresses.get(record.correlation_id) ?? record.correlation_id,
      // What was caused from outside keeps its cause there.
      causation_id: this.#ids.get(record.causation_id ?? '') ?? record.causation_id,
    }
  }

  #input(event: AnyEventObject): AnyEventObject {
    const hasRefs =
      event[MIGRATION_FIELD] !== undefined ||
      event[REFS_FIELD] === true ||
      event[READS_FIELD] !== undefined ||
      event.type.startsWith('xstate.')
    const renamed: AnyEventObject = hasRefs ? (this.#references(event) as AnyEventObject) : { ...event }
    for (const field of [TIMER_FIELD, CHILD_FIELD]) {
      if (typeof renamed[field] === 'string') renamed[field] = this.own(renamed[field])
    }
    if (event[MIGRATION_FIELD] !== undefined)
      renamed[MIGRATION_FIELD] = this.#migration(renamed[MIGRATION_FIELD] as Migration)
    if (event.type === BIRTH && typeof event['parent'] === 'object') {
      renamed['parent'] = this.#link(event['parent'] as ParentLink)
    }
    if (isSupervision(event.type)) {
      const { crashed, children } = event as { crashed?: unknown; children?: unknown }
      if (typeof crashed === 'string') renamed['crashed'] = this.own(crashed)
      if (Array.isArray(children)) renamed['children'] = children.map((key) => this.own(String(key)))
    }
    const [, prefix, child] = ABOUT_A_CHILD.exec(event.type) ?? []
    if (prefix === undefined || child === undefined) return renamed
    renamed.type = `${prefix}${this.own(child)}`
    if (typeof renamed['actorId'] === 'string') renamed['actorId'] = this.own(renamed['actorId'])
    return renamed
  }

  /** A state as it was packed: the names in it that the engine made. */
  #migration({ from, state }: Migration): Migration {
    const children = state.children.map(({ running, ...child }) => ({
      ...child,
      id: this.own(child.id),
      address: this.own(child.address),
      running: running && { ...running, key: this.own(running.key) },
    }))
    const timers = state.timers.map((timer) => {
      const { key, id, ...rest } = timer as { key: string; id: string; childKey?: unknown; address?: unknown }
      const renamed = { ...rest, id: this.own(id), key: this.own(key) }
      for (const name of ['childKey', 'address'] as const) {
        if (typeof renamed[name] === 'string') renamed[name] = this.own(renamed[name])
      }
      return renamed
    })
    const running = state.running.map((key) => this.own(key))
    return {
      from,
      state: { ...state, children, timers, running, link: state.link && this.#link(state.link) },
    }
  }

  #link({ streamId, name, id, key, ...link }: ParentLink): ParentLink {
    const own = { streamId: this.own(streamId), name: this.own(name), id: this.own(id), key: this.own(key) }
    return { ...link, ...own }
  }

  /** References to actors, as they are recorded. */
  #references(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map((item) => this.#references(item))
    const fields = Object.entries(value)
    const isRef = (value as { xstate$$type?: unknown }).xstate$$type === 1
    return Object.fromEntries(
      fields.map(([key, item]) => [
        key,
        isRef && typeof item === 'string' ? this.own(item) : this.#references(item),
      ]),
    )
  }

  #source(source: string): string {
    if (this.#addresses.has(source)) return this.own(source)
    // Of a leaf: its owner's address, and what the owner calls it. Either may have a slash in it.
    for (let at = source.indexOf('/'); at > 0; at = source.indexOf('/', at + 1)) {
      const owner = this.#addresses.get(source.slice(0, at))
      if (owner !== undefined) return `${owner}/${this.own(source.slice(at + 1))}`
    }
    return source
  }
}
