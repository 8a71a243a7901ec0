/**
 * Who asks for what, on which server, in which round: all from the seed. Two things don't come from the seed: which server is
 * first (that is the race), and the name of the run. All ids of the run begin with its name, so runs with the same seed can use one
 * log.
 */
import type { InputOf } from 'tidemark';
import type { buyService, createService, registerUser } from './domain.ts';
import { Chance } from '../src/testing/conformance/random.ts';

/** A command as it travels to a server. */
export type Request =
  | { readonly id: string; readonly command: 'REGISTER_USER'; readonly input: InputOf<typeof registerUser> }
  | { readonly id: string; readonly command: 'CREATE_SERVICE'; readonly input: InputOf<typeof createService> }
  | { readonly id: string; readonly command: 'BUY_SERVICE'; readonly input: InputOf<typeof buyService> };

/** For each server what it is asked, in this order. */
export type Queues = readonly (readonly Request[])[];

export interface Round {
  /** Offers the service, before the race. */
  readonly create: Request;
  readonly service: string;
  /** Whether all servers look at the service before the race, and begin with it in their caches; or else none does. */
  readonly looked: boolean;
  /** What the servers are asked at once, from the barrier. */
  readonly race: Queues;
  /** Which server gets the starting signal first. */
  readonly first: number;
  /** Sent again after the race, with the same ids, mostly to another server: must get the same answer and be stored once. */
  readonly again: Queues | undefined;
}

interface PlanOptions {
  readonly rounds: number;
  readonly buyers: number;
  readonly places: number;
  readonly servers: number;
  readonly seed: number;
  /** A name that no other run has. */
  readonly run: string;
}

const SELLERS = 10;
const SKILLS = ['Piano', 'Pottery', 'Sailing', 'Chess', 'Bread', 'Calligraphy', 'Climbing', 'Beekeeping'];
const FORMS = ['lesson', 'weekend', 'walk', 'workshop', 'evening', 'for two'];
const NAMES = ['Ada', 'Bo', 'Chen', 'Dana', 'Emre', 'Fatou', 'Goro', 'Hana', 'Ines', 'Jun', 'Kofi', 'Lena'];

export class Plan {
  /** All ids of the run begin with it. */
  readonly prefix: string;
  readonly #options: PlanOptions;
  readonly #chance: Chance;
  readonly #sellers: readonly string[];
  /** For each server its customers, twice as many as buy in a round: so it isn't always the same. */
  readonly #customers: readonly (readonly string[])[];
  #commands = 0;

  constructor(options: PlanOptions) {
    const { seed, run, servers, buyers } = options;
    this.prefix = `${run}.`;
    this.#options = options;
    this.#chance = new Chance(seed);
    this.#sellers = numbered(SELLERS, (n) => `${this.prefix}seller${n}`);
    this.#customers = numbered(servers, (server) =>
      numbered(buyers * 2, (n) => `${this.prefix}buyer${(server - 1) * buyers * 2 + n}`),
    );
  }

  /** The documents that the run will have made. */
  get documents(): { readonly users: readonly string[]; readonly services: readonly string[] } {
    return {
      users: [...this.#sellers, ...this.#customers.flat()],
      services: numbered(this.#options.rounds, (n) => this.#service(n)),
    };
  }

  get sellers(): readonly string[] {
    return this.#sellers;
  }

  /** All users register, each on one server. */
  registrations(): Queues {
    return this.#customers.map((customers, server) => [
      ...this.#sellers.filter((_, index) => index % this.#options.servers === server).map((id) => this.#register(id)),
      ...customers.map((id) => this.#register(id)),
    ]);
  }

  *rounds(): Generator<Round> {
    for (let round = 0; round < this.#options.rounds; round += 1) yield this.#round(round);
  }

  #round(round: number): Round {
    const { servers, buyers } = this.#options;
    const service = this.#service(round + 1);
    const create = this.#create(service, this.#chance.pick(this.#sellers));
    const race = this.#customers.map((customers) =>
      this.#chance.sample(customers, buyers).map((buyer) => this.#buy(service, buyer)),
    );
    const bought = race.map((queue) => [...queue]);
    for (const stray of this.#strays(round, create)) this.#squeezeIn(this.#chance.pick(race), stray);
    // Somebody is impatient and sends the same command to two servers at once.
    if (round % 3 === 0) {
      const from = this.#chance.below(servers);
      this.#squeezeIn(race[this.#another(from)]!, this.#chance.pick(bought[from]!));
    }
    return {
      create,
      service,
      race,
      first: round % servers,
      // Each server is the first as often with the service in all caches as with all having to read it.
      looked: Math.floor(round / servers) % 2 === 1,
      again: round % 4 === 1 ? this.#again(race) : undefined,
    };
  }

  /** Commands that must be refused, whoever wins. */
  #strays(round: number, create: Request): Request[] {
    const strays: Request[] = [];
    const buyer = this.#chance.pick(this.#customers.flat());
    if (round % 4 === 0) strays.push(this.#buy(`${this.prefix}nowhere${round + 1}`, buyer));
    if (round % 4 === 2) strays.push(this.#buy(this.#service(round + 1), `${this.prefix}stranger${round + 1}`));
    if (round % 8 === 1) strays.push(this.#register(buyer));
    if (round % 8 === 3) strays.push({ ...create, id: this.#id() });
    if (round % 8 === 5) strays.push(this.#create(`${this.prefix}empty${round + 1}`, `${this.prefix}nobody`));
    return strays;
  }

  #again(race: Queues): Queues {
    const again: Request[][] = race.map(() => []);
    for (const [server, queue] of race.entries()) {
      again[this.#another(server)]!.push(...this.#chance.sample(queue, 2));
    }
    return again;
  }

  /** Another server, if there is one. */
  #another(server: number): number {
    const { servers } = this.#options;
    return servers === 1 ? server : (server + 1 + this.#chance.below(servers - 1)) % servers;
  }

  #squeezeIn(queue: Request[], request: Request): void {
    queue.splice(this.#chance.below(queue.length + 1), 0, request);
  }

  #register(user: string): Request {
    const input = { user_id: user, name: this.#chance.pick(NAMES) };
    return { id: this.#id(), command: 'REGISTER_USER', input };
  }

  #create(service: string, seller: string): Request {
    const title = `${this.#chance.pick(SKILLS)} ${this.#chance.pick(FORMS)}`;
    const price = 10 + this.#chance.below(90);
    const input = { service_id: service, seller_id: seller, title, price, quantity: this.#options.places };
    return { id: this.#id(), command: 'CREATE_SERVICE', input };
  }

  #buy(service: string, buyer: string): Request {
    return { id: this.#id(), command: 'BUY_SERVICE', input: { service_id: service, buyer_id: buyer } };
  }

  #service(number: number): string {
    return `${this.prefix}service${number}`;
  }

  #id(): string {
    this.#commands += 1;
    return `${this.prefix}command${this.#commands}`;
  }
}

/** `make(1)` to `make(count)`. */
function numbered<Item>(count: number, make: (number: number) => Item): Item[] {
  return Array.from({ length: count }, (_, index) => make(index + 1));
}
