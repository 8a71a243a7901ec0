/** Troubles: what happens to servers and store while callers are at work. */
import type { Owner } from './scheduler.ts';
import type { World } from './world.ts';
import type { Trouble } from './plan.ts';

/** A registry that changes all the time would leave no step of the reduction the time to be stored. */
const GROWN_MAX = 40;

export class Troubles implements Owner {
  readonly name = 'trouble';
  readonly dead = false;
  readonly #world: World;
  #grown = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Until the weather is calm. */
  async happen(): Promise<void> {
    const { plan, chance, scheduler, weather } = this.#world;
    if (plan.troubles.length === 0) return;
    for (;;) {
      await scheduler.wait(this, 'comes', chance.below(2 * plan.troubleMs));
      if (weather.calm) return;
      this.#happens(chance.pick(plan.troubles));
    }
  }

  #happens(trouble: Trouble): void {
    const { chance, scheduler, weather, machine, servers, trace } = this.#world;
    const serving = servers.filter((server) => server.serving);
    const living = servers.filter(({ dead }) => !dead);
    trace.note(`trouble: ${trouble}`);
    switch (trouble) {
      case 'crash':
        if (living.length > 0) this.#world.dies(chance.pick(living));
        return;
      case 'away':
        weather.away = true;
        machine.stirs();
        void scheduler.wait(this, 'ends', chance.below(200)).then(() => (weather.away = false));
        return;
      case 'clock':
        if (living.length > 0) chance.pick(living).drift = (chance.below(2_000) - 1_000) * (chance.once(4) ? 300 : 1);
        return;
      case 'grow':
        if (machine.free && this.#grown < GROWN_MAX) machine.grow();
        this.#grown += 1;
        return;
      case 'deploy':
        this.#world.deploys();
        return;
      case 'back':
        if (machine.free && chance.once(3)) this.#world.goesBack();
        return;
      case 'close': {
        if (serving.length === 0) return;
        const server = chance.pick(serving);
        server.closing = true;
        void server.app.close().then(() => trace.note(`${server.name} has closed`));
      }
    }
  }
}
