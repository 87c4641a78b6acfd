"""Closed-class words, numbers and auxiliaries: what the two halves of a task may share."""

CLOSED_CLASSES = """
a an the this that these those my our your his her its their every each all both some any no
none many much few several most more less least fewer other another one two three four five six
seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty ninety half neither
either nor not never only too also again ever i you he she it we they me him us them himself
herself themselves itself who whom whose which what where when why how nobody everybody somebody
nothing everything something someone everyone else anyone anything and or but if because
although while before after until since so than as though whether unless instead of in on at by
to from with without for about into over under behind between near next beside above below
around through against during across along up down out off away back inside outside among is are
was were be been being am has have had having do does did done doing will would can could may
might must shall should there here then now just very quite rather still yet even s t n't yes
first second third fourth last own same such like
"""
FUNCTION_WORDS = frozenset(CLOSED_CLASSES.split())
