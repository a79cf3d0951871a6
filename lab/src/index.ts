/** The plugins of jstackmagic for JupyterLab 4 and Notebook 7. */

import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { watchCells } from './cells';
import { PanelModel } from './model';
import { PanelWidget } from './panel';

const panel: JupyterFrontEndPlugin<void> = {
  id: 'jstackmagic-lab:panel',
  description: 'A side bar for the environment of the notebook in front.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ITranslator, ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jstackmagic');
    const model = new PanelModel(tracker);
    const widget = new PanelWidget(model, trans);
    restorer?.add(widget, widget.id);
    app.shell.add(widget, 'left', { rank: 600, type: 'Environment' });
    const command = 'jstackmagic:open';
    app.commands.addCommand(command, {
      label: trans.__('Show the Environment (jstackmagic)'),
      execute: () => app.shell.activateById(widget.id)
    });
    watchCells(tracker, model, () => app.shell.activateById(widget.id), trans);
    const refresh = 'jstackmagic:refresh';
    app.commands.addCommand(refresh, {
      label: trans.__('Read the Environment Again (jstackmagic)'),
      isEnabled: () => model.current?.link.state === 'ready',
      execute: () => model.current?.refresh()
    });
    for (const each of [command, refresh]) {
      palette?.addItem({ command: each, category: trans.__('Notebook Operations') });
    }
  }
};

export default [panel];
