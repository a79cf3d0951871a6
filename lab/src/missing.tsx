/** Missing: what the notebook imports and is not here. */

import * as React from 'react';

import { Gone, VerbError } from './link';
import { Problem, Table } from './parts';
import { IPlan, IProblem } from './schema';
import { ITabProps } from './tabs';

export function Missing({ kernel, model, trans }: ITabProps) {
  const [plan, setPlan] = React.useState<IPlan | null>(null);
  const [problem, setProblem] = React.useState<IProblem | null>(null);
  const [isLooking, setLooking] = React.useState(false);
  const look = React.useCallback(async () => {
    setLooking(true);
    setProblem(null);
    try {
      const words = ['--missing', '--dry-run'];
      setPlan(await kernel.link.ask<IPlan>('install', words, { cells: model.cells }));
    } catch (error) {
      if (error instanceof VerbError) {
        setProblem(error.parts);
      } else if (!(error instanceof Gone)) {
        throw error;
      }
    }
    setLooking(false);
  }, [kernel, model]);
  // again after each change, and for each notebook
  React.useEffect(() => void look(), [look, model.notebook, kernel.history]);
  const missing = Object.entries(plan?.missing ?? {});
  const specs = [...new Set(missing.map(([, spec]) => spec))];
  return (
    <>
      <p role="status">
        {isLooking
          ? trans.__('Reading the notebook …')
          : plan && trans._n('%1 import is not here.', '%1 imports are not here.', missing.length)}
      </p>
      {problem && <Problem problem={problem} />}
      {missing.length > 0 && (
        <Table caption={trans.__('Not here')} columns={[trans.__('Import'), trans.__('Package')]}>
          {missing.map(([module, spec]) => (
            <tr key={module}>
              <td>{module}</td>
              <td>{spec}</td>
            </tr>
          ))}
        </Table>
      )}
      {plan?.notes.map((note, at) => <p key={at}>{note}</p>)}
      <div className="jp-jstackmagic-buttons">
        {specs.length > 0 && (
          <button
            className="jp-mod-styled jp-mod-accept"
            onClick={() => kernel.show('install', specs, plan!)}
          >
            {trans.__('Install them …')}
          </button>
        )}
        <button className="jp-mod-styled" onClick={() => void look()} disabled={isLooking}>
          {trans.__('Look again')}
        </button>
      </div>
    </>
  );
}
