/** Buttons below a cell: after a failed import, and after an install that was recorded. */

import { Cell, CodeCell } from '@jupyterlab/cells';
import { INotebookTracker, Notebook, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { IOutput } from '@jupyterlab/nbformat';
import { TranslationBundle } from '@jupyterlab/translation';
import { PanelLayout, Widget } from '@lumino/widgets';

import { KernelModel, PanelModel } from './model';
import { IRecord } from './schema';

/** The last line below a failed import's traceback, as src/jstackmagic/hint writes it. */
const HINT = /^%envinstall \S.*$/;
/** The line below a cell whose install was recorded, as src/jstackmagic/capture writes it. */
const RECORDED = /^jstackmagic: recorded (?!.* as failed \()/m;
// eslint-disable-next-line no-control-regex
const COLOURS = /\x1b\[[0-9;]*m/g;

/** Watch the cells that are run. */
export function watchCells(
  tracker: INotebookTracker,
  model: PanelModel,
  open: () => void,
  trans: TranslationBundle
): void {
  NotebookActions.executed.connect((_, { notebook, cell }) => {
    const panel = tracker.find(each => each.content === notebook);
    if (!panel || !(cell instanceof CodeCell)) {
      return;
    }
    const outputs = cell.model.outputs.toJSON();
    const line = hintIn(outputs);
    if (line) {
      const bar = new Bar(trans.__('What is missing'));
      bar.addButton(trans.__('Run %1', line), () => {
        bar.dispose();
        insert(panel, cell, line);
        void NotebookActions.run(notebook, panel.sessionContext);
      });
      bar.addButton(trans.__('Insert it as a cell'), () => {
        bar.dispose();
        insert(panel, cell, line);
      });
      bar.below(cell);
    } else if (isRecorded(outputs)) {
      const bar = new Bar(trans.__('What was recorded'));
      bar.addText(trans.__('Recorded'));
      const kernel = model.of(panel);
      const recorded = lastOf(kernel); // now: another may come before the click
      bar.addButton(trans.__('Undo …'), async () => {
        open();
        model.tab = 'timeline';
        await kernel?.plan('undo', await recorded);
      });
      bar.addButton(trans.__('Make permanent …'), () => {
        open();
        model.tab = 'keep';
      });
      bar.below(cell);
    }
  });
}

/** Return the words that name the last transaction for `%envundo`: none where that is not known. */
async function lastOf(kernel: KernelModel | null): Promise<string[]> {
  if (kernel?.link.state !== 'ready') {
    return [];
  }
  const found = await kernel.link.ask<IRecord[]>('history', ['--limit', '1']).catch(() => []);
  return found.map(record => record.id);
}

function hintIn(outputs: IOutput[]): string {
  const error = outputs.find(output => output.output_type === 'error');
  const traceback = (error?.traceback as string[] | undefined) ?? [];
  const last = traceback.join('\n').replace(COLOURS, '').trimEnd().split('\n').pop() ?? '';
  return HINT.test(last) ? last : '';
}

function isRecorded(outputs: IOutput[]): boolean {
  return outputs.some(
    output => output.output_type === 'stream' && RECORDED.test([output.text].flat().join(''))
  );
}

/** Put a line into a new cell below another, which becomes the active one. */
function insert(panel: NotebookPanel, below: Cell, line: string): void {
  const notebook: Notebook = panel.content;
  notebook.activeCellIndex = notebook.widgets.indexOf(below);
  NotebookActions.insertBelow(notebook);
  notebook.activeCell?.model.sharedModel.setSource(line);
}

class Bar extends Widget {
  constructor(label: string) {
    super();
    this.addClass('jp-jstackmagic-bar');
    this.node.setAttribute('role', 'group');
    this.node.setAttribute('aria-label', label);
  }

  addText(text: string): void {
    const span = document.createElement('span');
    span.textContent = text;
    this.node.append(span);
  }

  addButton(text: string, onClick: () => void): void {
    const button = document.createElement('button');
    button.className = 'jp-mod-styled';
    button.textContent = text;
    button.addEventListener('click', onClick);
    this.node.append(button);
  }

  /** Stand below a cell's outputs until they are cleared or the cell is run again. */
  below(cell: CodeCell): void {
    (cell.layout as PanelLayout).addWidget(this);
    const outputs = cell.model.outputs;
    const onChange = () => {
      if (outputs.length === 0) {
        outputs.changed.disconnect(onChange);
        this.dispose();
      }
    };
    outputs.changed.connect(onChange);
  }
}
