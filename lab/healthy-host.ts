import type { LabNames, ScenarioPlan } from '../src/model/scenario.ts';

/** A host on which connections come up, however odd it looks: no cause may be named. */
export interface HealthyHost {
  /** Kebab-case; unlike the id of any cause. */
  readonly name: string;
  readonly what: string;
  readonly families?: readonly (4 | 6)[];
  /** See `Scenario.requires`. */
  readonly requires?: readonly string[];
  readonly plan: (names: LabNames) => ScenarioPlan;
}
