/* The build without oneDNN has no fast twin for training: the plain one runs. */
#include "nn/learn_int.h"

const tp_twin tp_twin_fast = { 0 };

bool tp_twin_fast_here(void)
{
	return false;
}
